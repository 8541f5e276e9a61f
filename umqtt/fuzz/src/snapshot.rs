//! Images of sessions, right and wrong: a wrong one is refused whole, and one that is taken is what
//! the session then remembers and sends.

use crate::{Opening, check_stream, drive};
use arbitrary::Arbitrary;
use umqtt::{Connect, Instant, Session};

/// What is played.
#[derive(Arbitrary, Debug)]
pub struct Input<'a> {
    opening: Opening,
    session_present: bool,
    send: u8,
    /// Whether the check at the end of the image is made right.
    is_sealed: bool,
    image: &'a [u8],
    answers: &'a [u8],
}

/// Plays one input.
pub fn run(input: &Input<'_>) {
    let mut image = input.image.to_vec();
    if input.is_sealed {
        image.extend(crc32fast::hash(&image).to_be_bytes());
    }
    let (mut receive, mut send) = ([0; 256], [0; 280]);
    let mut session = Session::new(&mut receive, &mut send[..12 + usize::from(input.send)]);
    let now = Instant::ZERO;
    if session.restore(&image).is_ok() {
        // What it remembers is what the image says; only that messages may have been sent before is
        // new (DUP).
        let mut again = [0; 300];
        let length = session.snapshot(&mut again).expect("there is room");
        assert_eq!(length, image.len());
        assert_eq!(session.restore(&again[..length]), Ok(()));
        let mut third = [0; 300];
        assert_eq!(session.snapshot(&mut third), Some(length));
        assert_eq!(again, third);
    } else {
        session
            .connect(&Connect::new("new"), now)
            .expect("there is room");
        assert!(session.is_idle(), "a wrong image is nothing to remember");
        session.closed();
    }
    let opening = Opening {
        clean: false,
        is_5: image.get(3) == Some(&5),
        ..input.opening
    };
    let mut sent = Vec::new();
    opening.connect(&mut session, now);
    let accepted = opening.accepted(input.session_present);
    let bytes = [&accepted, input.answers].concat();
    let whole = || usize::MAX;
    let _ = drive(&mut session, &mut &bytes[..], whole, now, &mut sent, |_| {});
    check_stream(&sent);
}
