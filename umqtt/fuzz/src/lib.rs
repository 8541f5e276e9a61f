//! The fuzz targets, and what they share: a session on its way, and what must hold of it at each step.
//!
//! Each is a function, for libFuzzer on nightly (`fuzz_targets`) and for the seeds, on any compiler.

pub mod packets;
pub mod round_trip;
pub mod seeds;
pub mod session;
pub mod snapshot;

use arbitrary::Arbitrary;
use umqtt::{
    Connect, Error, Event, Instant, Oversize, Property, PropertyList, Publish, Qos, Session,
    Version,
};

/// How a session is connected.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Opening {
    pub is_5: bool,
    pub clean: bool,
    pub oversize: Large,
    pub authenticates: bool,
    pub keep_alive: u16,
}

/// [`Oversize`], which knows nothing of fuzzing.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Large {
    Discard,
    Refuse,
    Stream,
}

impl Opening {
    pub fn version(self) -> Version {
        match self.is_5 {
            true => Version::V5,
            false => Version::V3_1_1,
        }
    }

    pub fn connect(self, session: &mut Session<'_>, now: Instant) {
        let method = [Property::AuthenticationMethod("M")];
        let connect = Connect {
            version: self.version(),
            clean_session: self.clean,
            keep_alive: self.keep_alive,
            oversize: match self.oversize {
                Large::Discard => Oversize::Discard,
                Large::Refuse => Oversize::Refuse,
                Large::Stream => Oversize::Stream,
            },
            properties: PropertyList::new(match self.authenticates {
                true => &method,
                false => &[],
            }),
            ..Connect::new("fuzz")
        };
        session.connect(&connect, now).expect("there is room");
    }

    /// A CONNACK that accepts.
    pub fn accepted(self, session_present: bool) -> Vec<u8> {
        match self.is_5 {
            true => vec![0x20, 3, session_present.into(), 0, 0],
            false => vec![0x20, 2, session_present.into(), 0],
        }
    }
}

/// A quality of service of these two bits; 3 is 2.
pub fn qos(bits: u8) -> Qos {
    match bits & 3 {
        0 => Qos::AtMostOnce,
        1 => Qos::AtLeastOnce,
        _ => Qos::ExactlyOnce,
    }
}

/// One of each that waits for an answer.
pub fn fill(session: &mut Session<'_>) {
    let message = Publish::new("t", b"p");
    let _ = session.publish(&message.qos(Qos::AtLeastOnce));
    let _ = session.publish(&message.qos(Qos::ExactlyOnce));
    let _ = session.subscribe(&[umqtt::Subscription::new("s", Qos::AtLeastOnce)]);
    let _ = session.unsubscribe(&["u"]);
}

/// What a driver does, until nothing moves: polls, sends, and hands over what comes in, at most so
/// many bytes at a time. Checks what [`Session`] promises.
///
/// `sent` gets what it sends. Returns the error that closed it.
pub fn drive(
    session: &mut Session<'_>,
    incoming: &mut &[u8],
    mut piece: impl FnMut() -> usize,
    now: Instant,
    sent: &mut Vec<u8>,
    mut on_event: impl FnMut(&Event<'_>),
) -> Result<(), Error> {
    for turns in 0.. {
        assert!(turns < 100_000, "the session gets nowhere");
        match session.poll(now) {
            Ok(Some(event)) => {
                on_event(&event);
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                assert!(session.is_closed());
                sent.extend(session.transmit());
                session.transmitted(session.transmit().len(), now);
                assert!(session.transmit().is_empty());
                return Err(error);
            }
        }
        let deadline = session.deadline();
        assert!(deadline.is_none_or(|deadline| deadline > now));
        let transmit = session.transmit();
        if !transmit.is_empty() {
            let count = transmit.len().min(piece().max(1));
            sent.extend(&transmit[..count]);
            session.transmitted(count, now);
            continue;
        }
        if session.is_closed() {
            return Ok(());
        }
        if session.stream_missing() > 0 {
            let count = session.stream_buffer().len();
            assert!(count > 0, "nothing to send and no room to stream");
            session.streamed(count.min(piece().max(1)));
            continue;
        }
        let buffer = session.receive_buffer();
        assert!(!buffer.is_empty(), "nothing to send and no room to receive");
        let count = buffer.len().min(incoming.len()).min(piece().max(1));
        if count == 0 {
            return Ok(());
        }
        let (head, rest) = incoming.split_at(count);
        buffer[..count].copy_from_slice(head);
        *incoming = rest;
        session.received(count, now);
    }
    Ok(())
}

/// Checks that these are packets of a client, one behind the other: CONNECT first and only first,
/// DISCONNECT last; the last of them may be cut.
pub fn check_stream(bytes: &[u8]) {
    let mut rest = bytes;
    let mut is_first = true;
    while let [first, tail @ ..] = rest {
        let kind = if first >> 4 == 3 { 0x30 } else { *first };
        let kinds = [
            0x10, 0x30, 0x40, 0x50, 0x62, 0x70, 0x82, 0xa2, 0xc0, 0xe0, 0xf0,
        ];
        assert!(kinds.contains(&kind), "{first:02x} in {bytes:02x?}");
        assert_eq!(kind == 0x10, is_first, "{bytes:02x?}");
        is_first = false;
        let is_endless = tail.len() >= 4 && tail.iter().take(4).all(|&byte| byte >= 0x80);
        assert!(!is_endless, "a length without end in {bytes:02x?}");
        match split_packet(rest) {
            Some((.., next)) => rest = next,
            None => return,
        }
        assert!(kind != 0xe0 || rest.is_empty(), "{bytes:02x?}");
    }
}

/// The first of some packets, if it is whole: its first byte, what it says, and those behind it.
pub fn split_packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (first, length, tail) = split_header(bytes)?;
    let (body, rest) = tail.split_at_checked(length)?;
    Some((first, body, rest))
}

/// The first byte of a packet, bytes of its body, and what is here of that and of what follows.
pub fn split_header(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let (&first, tail) = bytes.split_first()?;
    let end = tail.iter().take(4).position(|&byte| byte < 0x80)?;
    let (length, tail) = tail.split_at_checked(end + 1)?;
    let length = length
        .iter()
        .rev()
        .fold(0, |sum, &byte| sum << 7 | usize::from(byte & 0x7f));
    Some((first, length, tail))
}
