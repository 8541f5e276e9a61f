//! The asynchronous driver, and coming back by it.

use umqtt::asynch::Client;
use umqtt::{Backoff, ReasonCode, Reconnect, TopicError};

use crate::session::look_at;
use crate::text::show;
use crate::waiting::run;
use crate::world::{
    Clock, Transport, any, connect, identifier, message, now, properties, shuffle, subscriptions,
};

pub fn all() {
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut client = Client::new(any(&mut receive), any(&mut send), Clock);
    run(async {
        while any(true) {
            turn(shuffle(&mut client)).await;
        }
        reconnect(shuffle(&mut client)).await;
    });
}

async fn turn(client: &mut Client<'_, Transport, Clock>) {
    match any(0) {
        0 => show(client.connect(any(Transport), &connect()).await),
        1 => show(client.begin(any(Transport), &connect())),
        2 => show(client.queue(&message())),
        3 => show(client.publish(&message()).await),
        4 => show(client.publish_stream(&message(), any(1)).await),
        5 => show(client.stream_from(&mut Transport).await),
        6 => show(client.subscribe(subscriptions()).await),
        7 => show(client.unsubscribe(any(&["f"])).await),
        8 => show(client.ping().await),
        9 => show(client.receive().await.map(look_at)),
        10 => show(client.receive_until(now()).await.map(|it| it.map(look_at))),
        11 => show(client.try_receive().await.map(|it| it.map(look_at))),
        12 => show(client.settle(identifier(), look_at).await),
        13 => client.acknowledge(),
        14 => show(client.flush().await),
        15 => show(client.disconnect().await),
        16 => show(
            client
                .disconnect_with(ReasonCode(any(0)), properties())
                .await,
        ),
        17 => drop(any(client.session_mut())),
        _ => {
            any(client.session());
            any(client.is_connected());
            any(client.is_pending(identifier()));
            any(client.round_trip());
            any(client.transport());
        }
    }
}

async fn reconnect(client: &mut Client<'_, Transport, Clock>) {
    let mut backoff = Backoff::new(any(1), any(1), any(1));
    any(backoff.wait());
    backoff.reset();
    let mut way = Reconnect::new(connect(), subscriptions(), backoff, Clock);
    while any(true) {
        let open = async || any(Ok::<_, TopicError>(Transport));
        show(shuffle(&mut way).attempt(client, open, look_at).await);
        any((way.attempts(), way.reconnects(), way.retransmits()));
    }
}
