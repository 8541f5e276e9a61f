//! The session by itself.

use umqtt::{Event, Property, ReasonCode, ReasonCodes, Session};

use crate::text::show;
use crate::world::{any, connect, identifier, message, now, properties, shuffle, subscriptions};

pub fn all() {
    let (mut receive, mut send, mut aliases) = ([0; 256], [0; 256], [0; 64]);
    let mut session = Session::new(any(&mut receive), any(&mut send))
        .with_topic_aliases(any(&mut aliases), any(3));
    while any(true) {
        turn(shuffle(&mut session));
    }
}

/// Any call, whatever came before.
fn turn(session: &mut Session<'_>) {
    match any(0) {
        0 => show(session.connect(&connect(), now())),
        1 => session.closed(),
        2 => drop(any(session.transmit())),
        3 => session.transmitted(any(1), now()),
        4 => drop(any(session.receive_buffer())),
        5 => session.received(any(1), now()),
        6 => show(session.poll(now()).map(|event| event.map(look_at))),
        7 => show(session.publish(&message())),
        8 => show(session.subscribe(subscriptions())),
        9 => show(session.subscribe_with(subscriptions(), properties())),
        10 => show(session.unsubscribe(any(&["f"]))),
        11 => show(session.unsubscribe_with(any(&["f"]), properties())),
        12 => show(session.ping(now())),
        13 => show(session.disconnect()),
        14 => show(session.disconnect_with(ReasonCode(any(0)), properties())),
        15 => show(session.authenticate(ReasonCode(any(0)), properties())),
        16 => show(session.reject(ReasonCode(any(0)))),
        17 => session.acknowledge(),
        18 => show(session.expire(now())),
        19 => show(session.publish_stream(&message(), any(1))),
        20 => drop(any(session.stream_buffer())),
        21 => session.streamed(any(1)),
        22 => drop(any(session.snapshot(any(&mut [0; 300])))),
        23 => show(session.restore(any(&[0; 300]))),
        _ => ask(session),
    }
}

fn ask(session: &Session<'_>) {
    any(session.deadline());
    any(session.is_connected());
    any(session.is_closed());
    any(session.is_idle());
    any(session.is_pending(identifier()));
    any(session.round_trip());
    any((session.retransmits(), session.in_flight()));
    any(session.stream_missing());
    session
        .closing_properties()
        .iter()
        .for_each(look_at_property);
}

pub fn look_at(event: Event<'_>) {
    crate::text::print(&event);
    match event {
        Event::Connected { properties, .. } => properties.iter().for_each(look_at_property),
        Event::Message(message) => {
            any(message.topic.as_str());
            any(message.topic.as_bytes());
            message.properties.iter().for_each(look_at_property);
        }
        Event::Chunk(chunk) => drop(any(chunk.is_last())),
        Event::TooLarge { topic, .. } => drop(any(topic)),
        Event::Published(identifier, answer) => {
            any(identifier.value());
            any(answer.reason.is_error());
            any(answer.properties.is_empty());
        }
        Event::Subscribed(_, codes) | Event::Unsubscribed(_, codes) => look_at_codes(codes),
        Event::Authentication(answer) => drop(any(answer)),
        other => drop(any(other)),
    }
}

fn look_at_codes(codes: ReasonCodes<'_>) {
    any((codes.failure(), codes.all_granted()));
    for code in codes.iter() {
        any(code.granted());
    }
}

fn look_at_property(property: Property<'_>) {
    any(property);
}
