//! The line console at a board's serial port. Whoever is there has the board in their hands, and
//! gives no password.

use core::fmt;

use embassy_futures::select::{Either, select};
use embedded_io_async::Read;
use monster_console::{Sheet, Shell, Terminal};

use super::Console;

/// Does what is typed at a serial port: it comes from `reader`, and what is said goes to `writer`,
/// between the lines of the log. It ends when the port does.
pub async fn talk(console: &Console, mut reader: impl Read, writer: impl fmt::Write) {
    let mut sheet = Sheet::new();
    let mut shell = Shell::new(console, &mut sheet);
    let mut port = Port(writer);
    let mut byte = [0];
    loop {
        let result = match select(reader.read(&mut byte), shell.log_waits()).await {
            Either::First(Ok(1..)) => {
                let [byte] = byte;
                shell.type_in(byte, &mut port).await
            }
            Either::First(_) => return,
            Either::Second(()) => shell.show_log(&mut port).await,
        };
        // There is nobody to tell that the port does not take it.
        let _ = result;
    }
}

struct Port<W>(W);

impl<W: fmt::Write> Terminal for Port<W> {
    type Error = fmt::Error;

    async fn write(&mut self, text: &str) -> Result<(), fmt::Error> {
        self.0.write_str(text)
    }
}
