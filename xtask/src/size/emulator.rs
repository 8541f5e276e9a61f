//! A real run of a measured program, in QEMU, against a scripted server on its serial port.

use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{Failed, program};

/// How long the whole run may take; it takes about a second.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs the program and returns how deep its stack was, in bytes.
pub fn stack_depth(emulator: &[&str], file: &Path) -> Result<u32, Failed> {
    let mut run = Run::start(emulator, file)?;
    run.serve().and_then(|()| run.depth()).ok_or_else(|| {
        Failed::Advice(format!(
            "{} did not do its work in {}: it got as far as {:?}",
            file.display(),
            emulator.join(" "),
            run.seen
        ))
    })
}

struct Run {
    machine: Child,
    to: ChildStdin,
    from: Receiver<u8>,
    deadline: Instant,
    /// The client speaks MQTT 5, where most packets have a place for properties.
    is_5: bool,
    seen: Seen,
}

/// Packets that came.
#[derive(Debug, Default)]
struct Seen {
    subscribed: usize,
    published: usize,
    acknowledged: usize,
    pinged: usize,
    disconnected: bool,
}

impl Run {
    fn start(emulator: &[&str], file: &Path) -> Result<Self, Failed> {
        let [name, options @ ..] = emulator else {
            return Err(Failed::Advice("no emulator".into()));
        };
        let failed = |error| Failed::Start(name.to_string(), error);
        let mut machine = program(name)
            .args(options)
            .args(["-accel", "tcg,tb-size=16", "-display", "none"])
            .args(["-monitor", "none", "-serial", "stdio", "-kernel"])
            .args([file])
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let pipes = machine.stdin.take().zip(machine.stdout.take());
        let Some((to, out)) = pipes else {
            return Err(Failed::Advice("no pipes to the emulator".into()));
        };
        let (sender, from) = channel();
        // Ends with the emulator, whose end closes the pipe.
        thread::spawn(move || {
            for byte in BufReader::new(out).bytes().map_while(Result::ok) {
                if sender.send(byte).is_err() {
                    break;
                }
            }
        });
        Ok(Run {
            machine,
            to,
            from,
            deadline: Instant::now() + LIMIT,
            is_5: false,
            seen: Seen::default(),
        })
    }

    /// The server's side of the dialogue: each command once alone, both in one piece, then silence
    /// until the client pings, and the end.
    fn serve(&mut self) -> Option<()> {
        let (0x10, connect) = self.packet()? else {
            return None;
        };
        // A will of QoS 1, retained; user name and password; a clean session.
        let &[0, 4, b'M', b'Q', b'T', b'T', version @ (4 | 5), 0xee] = connect.get(..8)? else {
            return None;
        };
        self.is_5 = version == 5;
        match self.is_5 {
            true => self.send(&[0x20, 3, 0, 0, 0])?,
            false => self.send(&[0x20, 2, 0, 0])?,
        }
        let is_5 = self.is_5;
        let command = |identifier, payload| command(identifier, payload, is_5);
        self.until(|seen| seen.subscribed == 1 && seen.published == 1)?;
        self.send(&command(1, "on"))?;
        self.until(|seen| seen.acknowledged == 1 && seen.published == 2)?;
        for byte in command(2, "off") {
            self.send(&[byte])?;
        }
        self.until(|seen| seen.acknowledged == 2 && seen.published == 3)?;
        self.send(&[command(3, "on"), command(4, "off")].concat())?;
        self.until(|seen| seen.acknowledged == 4 && seen.published == 5)?;
        self.until(|seen| seen.pinged > 0)?;
        self.send(&command(5, "end"))?;
        self.until(|seen| seen.disconnected)
    }

    /// Answers what comes, until `enough` of it has.
    fn until(&mut self, enough: impl Fn(&Seen) -> bool) -> Option<()> {
        while !enough(&self.seen) {
            let (first, body) = self.packet()?;
            match first & 0xf0 {
                0x80 => {
                    self.seen.subscribed += 1;
                    let (high, low) = (*body.first()?, *body.get(1)?);
                    match self.is_5 {
                        true => self.send(&[0x90, 4, high, low, 0, 1])?,
                        false => self.send(&[0x90, 3, high, low, 1])?,
                    }
                }
                0x30 if first & 0x06 == 0x02 => {
                    self.seen.published += 1;
                    let topic = 2 + u16::from_be_bytes([*body.first()?, *body.get(1)?]) as usize;
                    self.send(&[0x40, 2, *body.get(topic)?, *body.get(topic + 1)?])?;
                }
                0x40 => self.seen.acknowledged += 1,
                0xc0 => {
                    self.seen.pinged += 1;
                    self.send(&[0xd0, 0])?;
                }
                0xe0 => self.seen.disconnected = true,
                _ => return None,
            }
        }
        Some(())
    }

    fn packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.byte()?;
        let mut remaining = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            remaining |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        let body: Option<Vec<u8>> = (0..remaining).map(|_| self.byte()).collect();
        Some((first, body?))
    }

    fn depth(&mut self) -> Option<u32> {
        let mut bytes = [0; 4];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Some(u32::from_le_bytes(bytes))
    }

    fn byte(&mut self) -> Option<u8> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.from.recv_timeout(left).ok()
    }

    fn send(&mut self, bytes: &[u8]) -> Option<()> {
        self.to.write_all(bytes).ok()?;
        self.to.flush().ok()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.machine.kill();
        let _ = self.machine.wait();
    }
}

/// A PUBLISH of QoS 1 on the topic the client has subscribed to.
fn command(identifier: u8, payload: &str, is_5: bool) -> Vec<u8> {
    let topic = "m/1/set";
    let properties: &[u8] = if is_5 { &[0] } else { &[] };
    let remaining = 4 + topic.len() + properties.len() + payload.len();
    let mut packet = vec![0x32, remaining as u8];
    packet.extend([0, topic.len() as u8]);
    packet.extend(topic.bytes());
    packet.extend([0, identifier]);
    packet.extend(properties);
    packet.extend(payload.bytes());
    packet
}
