//! The board and nothing else: reads, writes, tells the time.

#![no_std]
#![no_main]

use embedded_io::{Read, Write};
use size::{Serial, milliseconds};

size::program!(echo);

/// Sends back what comes, and the time; a `q` ends it.
fn echo() {
    let mut buffer = [0; 64];
    while buffer[0] != b'q' {
        let count = Serial.read(&mut buffer).unwrap_or(0);
        if let Some(bytes) = buffer.get(..count) {
            let _ = Serial.write(bytes);
        }
        let _ = Serial.write(&[milliseconds() as u8]);
    }
}
