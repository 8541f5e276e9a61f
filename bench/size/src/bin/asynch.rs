//! The little firmware on the asynchronous driver.

#![no_std]
#![no_main]

use size::mqtt::{BUFFER, BoardClock, COMMANDS, Command, ONLINE, connect};
use size::{Serial, block_on};
use umqtt::asynch::Client;
use umqtt::{ClientError, Event};

size::program!(firmware);

fn firmware() {
    block_on(async {
        let (mut receive, mut send) = ([0; BUFFER], [0; BUFFER]);
        let mut client = Client::new(&mut receive, &mut send, BoardClock);
        while connection(&mut client).await.is_err() {}
    });
}

/// From a CONNECT to the command to end.
async fn connection(
    client: &mut Client<'_, Serial, BoardClock>,
) -> Result<(), ClientError<embedded_io::ErrorKind>> {
    client.connect(Serial, &connect()).await?;
    client.subscribe(&[COMMANDS]).await?;
    client.publish(&ONLINE).await?;
    loop {
        let Event::Message(message) = client.receive().await? else {
            continue;
        };
        match Command::from_message(&message) {
            Some(Command::Switch(state)) => client.publish(&state).await.map(drop)?,
            Some(Command::End) => return client.disconnect().await,
            None => {}
        }
    }
}
