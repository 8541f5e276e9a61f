//! A server that tells the time (SNTP, RFC 4330), on a loopback port: right, or wrong in a way.

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// With this computer's time.
    Right,
    /// As if its own clock were not set (leap indicator 3).
    NotSet,
    /// To a question that nobody has asked.
    Guessing,
    /// That it does not want to be asked (stratum 0, a kiss of death).
    Refusing,
}

/// A time server. It ends with the test.
#[derive(Debug)]
pub struct TimeServer {
    port: u16,
}

impl TimeServer {
    /// Starts one that answers so: each manner once, in this order, and the last for good.
    pub fn start(manners: &[Manner]) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = socket.local_addr().expect("it is bound").port();
        let mut manners = manners.to_vec();
        manners.reverse();
        thread::spawn(move || {
            let mut question = [0; 48];
            while let Ok((48, from)) = socket.recv_from(&mut question) {
                let manner = match manners.len() {
                    0 | 1 => manners.first().copied().unwrap_or(Manner::Right),
                    _ => manners.pop().expect("there are two"),
                };
                let _ = socket.send_to(&answer(&question, manner), from);
            }
        });
        Self { port }
    }

    /// Where it is, as a setting of a device in QEMU names it.
    pub fn setting(&self) -> String {
        format!("10.0.2.2:{}", self.port)
    }
}

fn answer(question: &[u8; 48], manner: Manner) -> [u8; 48] {
    let mut answer = [0; 48];
    // Version 4, a server's answer.
    answer[0] = 0x24;
    // It has its time from one that has an atomic clock.
    answer[1] = 2;
    // The time of the question comes back as that of its origin.
    answer[24..32].copy_from_slice(&question[40..48]);
    let now = ntp_now();
    answer[16..24].copy_from_slice(&now);
    answer[32..40].copy_from_slice(&now);
    answer[40..48].copy_from_slice(&now);
    match manner {
        Manner::Right => {}
        Manner::NotSet => answer[0] |= 0xc0,
        Manner::Guessing => answer[24..32].copy_from_slice(&now),
        Manner::Refusing => {
            answer[1] = 0;
            answer[12..16].copy_from_slice(b"DENY");
        }
    }
    answer
}

/// Seconds since 1900 and their fraction, 32 bits each.
fn ntp_now() -> [u8; 8] {
    let since_1970: Duration = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("it is after 1970");
    let seconds = since_1970.as_secs() + 2_208_988_800;
    let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
    (((seconds & 0xffff_ffff) << 32) | fraction).to_be_bytes()
}
