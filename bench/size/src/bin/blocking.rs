//! The little firmware on the blocking driver.

#![no_std]
#![no_main]

use size::Serial;
use size::mqtt::{BUFFER, BoardClock, COMMANDS, Command, ONLINE, connect};
use umqtt::blocking::Client;
use umqtt::{ClientError, Event};

size::program!(firmware);

fn firmware() {
    let (mut receive, mut send) = ([0; BUFFER], [0; BUFFER]);
    let mut client = Client::new(&mut receive, &mut send, BoardClock);
    while connection(&mut client).is_err() {}
}

/// From a CONNECT to the command to end.
fn connection(
    client: &mut Client<'_, Serial, BoardClock>,
) -> Result<(), ClientError<embedded_io::ErrorKind>> {
    client.connect(Serial, &connect())?;
    client.subscribe(&[COMMANDS])?;
    client.publish(&ONLINE)?;
    loop {
        let Event::Message(message) = client.receive()? else {
            continue;
        };
        match Command::from_message(&message) {
            Some(Command::Switch(state)) => client.publish(&state).map(drop)?,
            Some(Command::End) => return client.disconnect(),
            None => {}
        }
    }
}
