//! Operations of a caller, bytes of a server, and time, in any order: nothing panics, nothing gets
//! stuck, and what is sent is a client's stream of packets.

use crate::{Opening, check_stream, drive, qos};
use arbitrary::Arbitrary;
use umqtt::{
    Instant, PacketIdentifier, Property, PropertyList, Publish, ReasonCode, Session, Subscription,
};

#[derive(Arbitrary, Debug)]
enum Operation<'a> {
    Connect(Opening),
    Accept {
        session_present: bool,
    },
    Publish {
        topic: &'a str,
        payload: &'a [u8],
        qos: u8,
        retain: bool,
        alias: Option<u16>,
    },
    Stream {
        topic: &'a str,
        qos: u8,
        length: u16,
    },
    Subscribe {
        filter: &'a str,
        qos: u8,
        identifier: Option<u32>,
    },
    Unsubscribe(&'a str),
    Ping,
    Acknowledge,
    Reject(u8),
    Authenticate(u8),
    Disconnect(u8),
    Closed,
    Time(u32),
    Transmit(u8),
    Server(&'a [u8]),
    /// An acknowledgement of something that may be in flight.
    Answer {
        first: u8,
        identifier: u8,
    },
    Message {
        qos: u8,
        identifier: u8,
        payload: u8,
    },
    Power,
}

/// What is played.
#[derive(Arbitrary, Debug)]
pub struct Input<'a> {
    receive: u8,
    send: u8,
    aliases: u8,
    piece: u8,
    operations: Vec<Operation<'a>>,
}

/// Plays one input.
pub fn run(input: &Input<'_>) {
    let (mut receive, mut send, mut aliases) = ([0; 320], [0; 280], [0; 64]);
    let mut session = Session::new(
        &mut receive[..64 + usize::from(input.receive)],
        &mut send[..12 + usize::from(input.send)],
    )
    .with_topic_aliases(&mut aliases, (input.aliases % 4).into());
    let mut now = Instant::ZERO;
    let mut sent = Vec::new();
    let mut opening: Option<Opening> = None;
    for operation in &input.operations {
        let mut bytes = Vec::new();
        let is_5 = opening.is_some_and(|opening| opening.is_5);
        match *operation {
            Operation::Connect(new) => {
                check_stream(&sent);
                sent.clear();
                new.connect(&mut session, now);
                opening = Some(new);
            }
            Operation::Accept { session_present } => {
                if let Some(opening) = opening {
                    bytes = opening.accepted(session_present);
                }
            }
            Operation::Publish {
                topic,
                payload,
                qos: bits,
                retain,
                alias,
            } => {
                let alias = alias.map(Property::TopicAlias);
                let properties = alias.as_slice();
                let message = Publish {
                    retain,
                    properties: PropertyList::new(properties),
                    ..Publish::new(topic, payload)
                };
                let _ = session.publish(&message.qos(qos(bits)));
            }
            Operation::Stream {
                topic,
                qos: bits,
                length,
            } => {
                let message = Publish::new(topic, b"").qos(qos(bits));
                let _ = session.publish_stream(&message, (length % 2000).into());
            }
            Operation::Subscribe {
                filter,
                qos: bits,
                identifier,
            } => {
                let identifier = identifier.map(Property::SubscriptionIdentifier);
                let subscriptions = [Subscription::new(filter, qos(bits))];
                let _ = session.subscribe_with(&subscriptions, identifier.as_slice());
            }
            Operation::Unsubscribe(filter) => drop(session.unsubscribe(&[filter])),
            Operation::Ping => drop(session.ping(now)),
            Operation::Acknowledge => session.acknowledge(),
            Operation::Reject(reason) => drop(session.reject(ReasonCode(reason))),
            Operation::Authenticate(reason) => {
                let method = [Property::AuthenticationMethod("M")];
                let _ = session.authenticate(ReasonCode(reason), &method);
            }
            Operation::Disconnect(reason) => {
                let _ = session.disconnect_with(ReasonCode(reason), &[]);
            }
            Operation::Closed => session.closed(),
            Operation::Time(passed) => now = now.after(passed.into()),
            Operation::Transmit(count) => {
                let count = session.transmit().len().min(count.into());
                sent.extend(&session.transmit()[..count]);
                session.transmitted(count, now);
                continue;
            }
            Operation::Server(some) => bytes = some.to_vec(),
            Operation::Answer { first, identifier } => {
                const FIRSTS: [u8; 6] = [0x40, 0x50, 0x62, 0x70, 0x90, 0xb0];
                let first = FIRSTS[usize::from(first) % FIRSTS.len()];
                bytes = match (first, is_5) {
                    (0x90, false) => vec![first, 3, 0, identifier, 1],
                    (0x90 | 0xb0, true) => vec![first, 4, 0, identifier, 0, 1],
                    _ => vec![first, 2, 0, identifier],
                };
            }
            Operation::Message {
                qos,
                identifier,
                payload,
            } => {
                let qos = qos % 3;
                let head: &[u8] = if qos > 0 {
                    &[0, 1, b't', 0, identifier]
                } else {
                    &[0, 1, b't']
                };
                let properties: &[u8] = if is_5 { &[0] } else { &[] };
                let body = [head, properties, &vec![b'p'; (payload % 100).into()]].concat();
                bytes = [&[0x30 | qos << 1, body.len() as u8], &body[..]].concat();
            }
            Operation::Power => power_cut(&mut session),
        }
        let mut incoming = &bytes[..];
        let piece = || input.piece.into();
        // An error closes it, which the next operation finds.
        let _ = drive(&mut session, &mut incoming, piece, now, &mut sent, |_| {});
        if session.is_closed() {
            check_stream(&sent);
            sent.clear();
        }
    }
    // It always ends, and a new connection always works.
    session.closed();
    assert!(session.transmit().is_empty());
    session
        .connect(&umqtt::Connect::new("end"), now)
        .expect("there is room");
    assert!(session.is_idle());
}

/// What a session remembers outlives its power, and no more than that. Only the order of what has
/// none may change, and what was never sent may have been (DUP).
fn power_cut(session: &mut Session<'_>) {
    let mut image = [0; 300];
    let length = session.snapshot(&mut image).expect("there is room");
    session.closed();
    let pending = pending(session);
    for _ in 0..2 {
        assert_eq!(session.restore(&image[..length]), Ok(()));
        assert_eq!(self::pending(session), pending);
        let mut again = [0; 300];
        assert_eq!(session.snapshot(&mut again), Some(length));
        image = again;
    }
}

fn pending(session: &Session<'_>) -> Vec<u16> {
    let is_pending = |value| PacketIdentifier::new(value).is_some_and(|id| session.is_pending(id));
    (1..200).filter(|&value| is_pending(value)).collect()
}
