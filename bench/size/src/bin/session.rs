//! The little firmware on the session itself, as a program with a loop of its own has it.

#![no_std]
#![no_main]

use embedded_io::{Read, Write};
use size::Serial;
use size::mqtt::{BUFFER, BoardClock, COMMANDS, Command, ONLINE, connect};
use umqtt::{Clock, Event, Session};

size::program!(firmware);

fn firmware() {
    let (mut receive, mut send) = ([0; BUFFER], [0; BUFFER]);
    let mut session = Session::new(&mut receive, &mut send);
    while connection(&mut session).is_none() {}
}

/// From a CONNECT to the command to end; `None` if the connection broke.
fn connection(session: &mut Session<'_>) -> Option<()> {
    session.connect(&connect(), BoardClock.now()).ok()?;
    loop {
        match session.poll(BoardClock.now()).ok()? {
            Some(Event::Connected { .. }) => {
                session.subscribe(&[COMMANDS]).ok()?;
                session.publish(&ONLINE).ok()?;
                continue;
            }
            Some(Event::Message(message)) => {
                match Command::from_message(&message) {
                    Some(Command::Switch(state)) => session.publish(&state).map(drop).ok()?,
                    Some(Command::End) => session.disconnect().ok()?,
                    None => {}
                }
                continue;
            }
            Some(_) => continue,
            None => {}
        }
        if session.transmit().is_empty() {
            let count = Serial.read(session.receive_buffer()).unwrap_or(0);
            session.received(count, BoardClock.now());
        } else {
            let count = Serial.write(session.transmit()).ok()?;
            session.transmitted(count, BoardClock.now());
            if session.is_closed() {
                return Some(());
            }
        }
    }
}
