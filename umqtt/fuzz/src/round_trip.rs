//! What one end says, the other one hears: messages from session to session, and, with MQTT 3.1.1,
//! to and from a codec that is not ours.

use crate::{Large, Opening, drive, qos};
use arbitrary::Arbitrary;
use mqttbytes::v4;
use umqtt::{Event, Instant, Property, PropertyList, Publish, PublishError, Qos, Session};

/// What is played.
#[derive(Arbitrary, Debug)]
pub struct Input<'a> {
    is_5: bool,
    topic: &'a str,
    payload: &'a [u8],
    qos: u8,
    retain: bool,
    pieces: u8,
    properties: Vec<Named<'a>>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Named<'a> {
    Format(bool),
    Expiry(u32),
    ContentType(&'a str),
    ResponseTopic(&'a str),
    Correlation(&'a [u8]),
    User(&'a str, &'a str),
}

impl<'a> From<Named<'a>> for Property<'a> {
    fn from(named: Named<'a>) -> Self {
        match named {
            Named::Format(value) => Property::PayloadFormatIndicator(value),
            Named::Expiry(value) => Property::MessageExpiryInterval(value),
            Named::ContentType(value) => Property::ContentType(value),
            Named::ResponseTopic(value) => Property::ResponseTopic(value),
            Named::Correlation(value) => Property::CorrelationData(value),
            Named::User(name, value) => Property::UserProperty(name, value),
        }
    }
}

const ROOM: usize = 4096;

/// Plays one input.
pub fn run(input: &Input<'_>) {
    let properties: Vec<Property<'_>> =
        input.properties.iter().map(|&named| named.into()).collect();
    let message = Publish {
        retain: input.retain,
        properties: PropertyList::new(&properties),
        ..Publish::new(input.topic, input.payload).qos(qos(input.qos))
    };
    let (mut receive, mut send) = ([0; ROOM], [0; ROOM]);
    let mut sender = Session::new(&mut receive, &mut send);
    connected(&mut sender, input.is_5);
    let identifier = match sender.publish(&message) {
        Ok(identifier) => identifier,
        Err(PublishError::NotConnected) => panic!("it is connected"),
        // It was refused before anything was queued.
        Err(_) => return assert!(sender.transmit().is_empty()),
    };
    assert_eq!(identifier.is_some(), message.qos != Qos::AtMostOnce);
    let packet = sender.transmit().to_vec();
    hear(input, &message, &packet);
    if !input.is_5 {
        let decoded = v4::read(&mut packet[..].into(), usize::MAX);
        let Ok(v4::Packet::Publish(decoded)) = decoded else {
            panic!("{decoded:?} of {packet:02x?}");
        };
        assert_eq!(decoded.topic, message.topic);
        assert_eq!(decoded.payload, message.payload);
        assert_eq!(decoded.qos as u8, message.qos as u8);
        assert_eq!((decoded.retain, decoded.dup), (message.retain, false));
        assert_eq!(
            decoded.pkid,
            identifier.map_or(0, |identifier| identifier.value())
        );
        // And back.
        let mut encoded = Default::default();
        decoded
            .write(&mut encoded)
            .expect("it was decoded from the same");
        hear(input, &message, &encoded);
    }
}

/// Another session gets these bytes from its server, and hears the message once, as it was.
fn hear(input: &Input<'_>, message: &Publish<'_>, packet: &[u8]) {
    let (mut receive, mut send) = ([0; ROOM], [0; ROOM]);
    let mut session = Session::new(&mut receive, &mut send);
    connected(&mut session, input.is_5);
    let mut heard = 0;
    let mut incoming = packet;
    let piece = || input.pieces.into();
    let now = Instant::ZERO;
    let result = drive(
        &mut session,
        &mut incoming,
        piece,
        now,
        &mut Vec::new(),
        |event| {
            let Event::Message(got) = event else {
                panic!("{event:?}");
            };
            heard += 1;
            assert_eq!(
                (got.topic.as_str(), got.payload),
                (message.topic, message.payload)
            );
            assert_eq!(
                (got.qos, got.retain, got.dup),
                (message.qos, message.retain, false)
            );
            let expected: &[Property<'_>] = match input.is_5 {
                true => message.properties.as_slice(),
                false => &[],
            };
            assert!(got.properties.iter().eq(expected.iter().copied()));
        },
    );
    assert_eq!((result, heard), (Ok(()), 1));
}

fn connected(session: &mut Session<'_>, is_5: bool) {
    let opening = Opening {
        is_5,
        clean: true,
        oversize: Large::Discard,
        authenticates: false,
        keep_alive: 60,
    };
    opening.connect(session, Instant::ZERO);
    let accepted = opening.accepted(false);
    let whole = || usize::MAX;
    let now = Instant::ZERO;
    drive(
        session,
        &mut &accepted[..],
        whole,
        now,
        &mut Vec::new(),
        |_| {},
    )
    .expect("it is accepted");
}
