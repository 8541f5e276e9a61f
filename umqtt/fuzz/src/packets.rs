//! Any bytes a server may send, with and without something in flight: nothing panics, and it makes
//! no difference in how many pieces they come.

use crate::{Large, Opening, check_stream, drive, fill, split_header};
use arbitrary::Arbitrary;
use umqtt::{Error, Instant, Session};

/// What is played.
#[derive(Arbitrary, Debug)]
pub struct Input {
    opening: Opening,
    /// Without it, the bytes are the answer to CONNECT.
    is_accepted: bool,
    session_present: bool,
    has_aliases: bool,
    /// Bytes of receive buffer, beyond what CONNECT needs.
    room: u8,
    pieces: Vec<u8>,
    bytes: Vec<u8>,
}

/// Plays one input.
pub fn run(input: &Input) {
    let whole = course(input, &[]);
    let cut = course(input, &input.pieces);
    // The parts of a message that is larger than the buffer are as large as what had come.
    if input.opening.oversize != Large::Stream && !answers_ahead(&input.bytes) {
        assert_eq!((&whole.said, whole.result), (&cut.said, cut.result));
        // What was queued when the connection failed is only sent if there was time.
        if whole.result.is_ok() {
            assert_eq!(whole.sent, cut.sent);
        }
    }
}

/// Whether the server answers a PUBREL before it can have it: with PUBCOMP, in what comes at once with the PUBREC.
/// That settles nothing, unless the PUBREL was sent in between. Of a PUBCOMP larger than the receive buffer the
/// beginning is enough.
fn answers_ahead(mut bytes: &[u8]) -> bool {
    let mut received = Vec::new();
    while let Some((first, length, tail)) = split_header(bytes) {
        let (body, rest) = tail.split_at(length.min(tail.len()));
        match (first, body.get(..2)) {
            (0x50, Some(identifier)) => received.push(identifier),
            (0x70, Some(identifier)) if received.contains(&identifier) => return true,
            _ => {}
        }
        bytes = rest;
    }
    false
}

/// What became of a session.
struct Course {
    /// Its events.
    said: Vec<String>,
    result: Result<(), Error>,
    sent: Vec<u8>,
}

fn course(input: &Input, pieces: &[u8]) -> Course {
    let mut receive = [0; 64 + 255];
    let receive = &mut receive[..64 + usize::from(input.room)];
    let (mut send, mut aliases) = ([0; 128], [0; 48]);
    let maximum = if input.has_aliases { 3 } else { 0 };
    let mut session = Session::new(receive, &mut send).with_topic_aliases(&mut aliases, maximum);
    let now = Instant::ZERO;
    let (mut said, mut sent) = (Vec::new(), Vec::new());
    input.opening.connect(&mut session, now);
    if input.is_accepted {
        let accepted = input
            .opening
            .accepted(input.session_present && !input.opening.clean);
        let mut incoming = &accepted[..];
        let mut whole = || usize::MAX;
        let result = drive(
            &mut session,
            &mut incoming,
            &mut whole,
            now,
            &mut sent,
            |_| {},
        );
        result.expect("it is accepted");
        fill(&mut session);
        let mut nothing = &[][..];
        let result = drive(&mut session, &mut nothing, whole, now, &mut sent, |_| {});
        result.expect("nothing has come");
    }
    let mut pieces = pieces.iter().cycle();
    let mut incoming = &input.bytes[..];
    let result = drive(
        &mut session,
        &mut incoming,
        || pieces.next().map_or(usize::MAX, |&piece| piece.into()),
        now,
        &mut sent,
        |event| said.push(format!("{event:?}")),
    );
    check_stream(&sent);
    Course { said, result, sent }
}
