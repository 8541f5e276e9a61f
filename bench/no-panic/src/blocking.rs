//! The blocking driver, and the verbs of MicroPython over it.

use umqtt::ReasonCode;
use umqtt::blocking::Client;
use umqtt::simple::MqttClient;

use crate::session::look_at;
use crate::text::show;
use crate::world::{
    Clock, Transport, any, connect, identifier, message, now, properties, qos, shuffle,
    subscriptions,
};

pub fn all() {
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut client = Client::new(any(&mut receive), any(&mut send), Clock);
    while any(true) {
        turn(shuffle(&mut client));
    }
    simple();
}

fn turn(client: &mut Client<'_, Transport, Clock>) {
    match any(0) {
        0 => show(client.connect(any(Transport), &connect())),
        1 => show(client.begin(any(Transport), &connect())),
        2 => show(client.queue(&message())),
        3 => show(client.publish(&message())),
        4 => show(client.publish_stream(&message(), any(1))),
        5 => show(client.stream_from(&mut Transport)),
        6 => show(client.subscribe(subscriptions())),
        7 => show(client.unsubscribe(any(&["f"]))),
        8 => show(client.ping()),
        9 => show(client.receive().map(look_at)),
        10 => show(client.receive_until(now()).map(|event| event.map(look_at))),
        11 => show(client.try_receive().map(|event| event.map(look_at))),
        12 => show(client.settle(identifier(), look_at)),
        13 => client.acknowledge(),
        14 => show(client.flush()),
        15 => show(client.disconnect()),
        16 => show(client.disconnect_with(ReasonCode(any(0)), properties())),
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

fn simple() {
    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut callback = |topic: &str, message: &[u8]| {
        any((topic, message));
    };
    let open = || any(Ok(Transport));
    let mut client = MqttClient::new(any("c"), open, Clock, any(&mut receive), any(&mut send))
        .user(any("user"), any("password"))
        .keepalive(any(60));
    client.set_callback(&mut callback);
    client.set_last_will(any("t"), any(b"p"), any(true), qos());
    while any(true) {
        let client = shuffle(&mut client);
        match any(0) {
            0 => show(client.connect(any(true))),
            1 => show(client.disconnect()),
            2 => show(client.ping()),
            3 => show(client.publish(any("t"), any(b"p"), any(true), qos())),
            4 => show(client.subscribe(any("f"), qos())),
            5 => show(client.wait_msg()),
            _ => show(client.check_msg()),
        }
    }
}
