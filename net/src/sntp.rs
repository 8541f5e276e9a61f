//! The time of day, asked of a server (SNTP, RFC 4330), once a day and whenever it is not known.
//!
//! Nobody signs it: whoever is between the device and the server can tell it another time. What is
//! checked is that the answer is to our question, which nobody can guess, from a server that
//! says its own clock is set, and that the time is not before this program was written.

use core::cell::RefCell;
use core::fmt;
use core::future::poll_fn;
use core::net::SocketAddr;
use core::task::Context;

use embassy_net::udp::{UdpMetadata, UdpSocket};
use embassy_net::{IpAddress, IpEndpoint, Stack};
use embassy_time::{Duration, Instant, TimeoutError, Timer, with_timeout};
use monster::random::Random;
use monster::settings::TimeServer;
use monster::settings::value::LogLevel;
use sntpc::{Error as NtpError, NtpContext, NtpTimestampGenerator, NtpUdpSocket};

use crate::resolve::{NameError, resolve};
use crate::run::{Board, Shared};
use crate::udp::Memory;

/// 2026-01-01, as seconds since 1970: no clock of a server that works says less.
const WRITTEN: u64 = 1_767_225_600;
/// How long a server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// The wait after the first failure; it doubles with each further one.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(64);
/// The wait after the server said that it does not want to be asked.
const REFUSED: Duration = Duration::from_secs(1024);
/// How long a time is trusted: by then a crystal is a few seconds off.
const AGAIN: Duration = Duration::from_secs(24 * 3600);
/// A packet, and what may come with it.
const PACKET: usize = 128;

/// Keeps the clock right, for ever.
pub(crate) async fn run<B: Board>(
    stack: Stack<'_>,
    server: &TimeServer,
    mut random: Random,
    shared: &Shared<'_>,
) -> ! {
    let mut wait = RETRY_FIRST;
    loop {
        shared.was_tried.wait(stack).await;
        match ask(stack, server, &mut random).await {
            Ok(unix_millis) => {
                shared.clock.set(unix_millis);
                wait = RETRY_FIRST;
                shared.log::<B>(
                    LogLevel::Info,
                    format_args!("the time is {}, says {server}", Utc(unix_millis / 1000)),
                );
                Timer::after(AGAIN).await;
            }
            Err(error) => {
                let pause = if error.is_refusal() { REFUSED } else { wait };
                let seconds = pause.as_secs();
                shared.log::<B>(
                    LogLevel::Warn,
                    format_args!("no time from {server}: {error}; asking again in {seconds} s"),
                );
                Timer::after(pause).await;
                wait = (wait * 2).min(RETRY_MAX);
            }
        }
    }
}

/// Milliseconds since the beginning of 1970, from the server.
async fn ask(stack: Stack<'_>, server: &TimeServer, random: &mut Random) -> Result<u64, AskError> {
    let addresses = with_timeout(ANSWER_TIMEOUT, resolve(stack, server.host())).await??;
    let Some(IpAddress::Ipv4(address)) = addresses.first().copied() else {
        return Err(AskError::Name(NameError::NotFound));
    };
    let mut memory = Memory::<PACKET, 1, PACKET, 1>::new();
    let mut socket = memory.socket(stack);
    // Any port that is free.
    socket.bind(0).map_err(|_| AskError::NoSocket)?;
    let socket = Socket(RefCell::new(socket));
    let stamp = Stamp::new(random);
    let answer = sntpc::get_time(
        SocketAddr::from((address, server.port())),
        &socket,
        NtpContext::new(stamp),
    );
    let answer = with_timeout(ANSWER_TIMEOUT, answer).await??;
    let unix_seconds = answer.sec();
    if unix_seconds < WRITTEN {
        return Err(AskError::Past(unix_seconds));
    }
    let fraction = u64::from(answer.sec_fraction()).saturating_mul(1000) >> 32;
    // It was that time when the answer left.
    let on_the_way = (answer.roundtrip() / 1000).min(ANSWER_TIMEOUT.as_millis()) / 2;
    Ok(unix_seconds
        .saturating_mul(1000)
        .saturating_add(fraction)
        .saturating_add(on_the_way))
}

/// The time that stands in a question: only the one who sees the question can answer it, since it
/// begins anywhere.
#[derive(Clone, Copy)]
struct Stamp {
    /// Microseconds.
    begin: u64,
    now: u64,
}

impl Stamp {
    fn new(random: &mut Random) -> Self {
        let (high, low) = (random.next_u32(), random.next_u32());
        // At most 35 years: the server's time must lie within 68 years of it.
        let chance = (u64::from(high & 0x3_ffff) << 32) | u64::from(low);
        Stamp {
            begin: WRITTEN.saturating_mul(1_000_000).saturating_add(chance),
            now: 0,
        }
    }
}

impl NtpTimestampGenerator for Stamp {
    fn init(&mut self) {
        self.now = self.begin.saturating_add(Instant::now().as_micros());
    }

    fn timestamp_sec(&self) -> u64 {
        self.now / 1_000_000
    }

    fn timestamp_subsec_micros(&self) -> u32 {
        (self.now % 1_000_000) as u32
    }
}

/// A socket, as the protocol's library wants one.
struct Socket<'a>(RefCell<UdpSocket<'a>>);

impl NtpUdpSocket for Socket<'_> {
    async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> sntpc::Result<usize> {
        let SocketAddr::V4(to) = to else {
            return Err(NtpError::Network);
        };
        let to = IpEndpoint::from(to);
        let sent = poll_fn(|context| self.0.borrow().poll_send_to(bytes, to, context)).await;
        sent.map(|()| bytes.len()).map_err(|_| NtpError::Network)
    }

    async fn recv_from(&self, bytes: &mut [u8]) -> sntpc::Result<(usize, SocketAddr)> {
        let receive = |context: &mut Context<'_>| self.0.borrow().poll_recv_from(bytes, context);
        let (count, UdpMetadata { endpoint, .. }) =
            poll_fn(receive).await.map_err(|_| NtpError::Network)?;
        let IpAddress::Ipv4(address) = endpoint.addr;
        Ok((count, SocketAddr::from((address, endpoint.port))))
    }
}

/// Why there is no time.
enum AskError {
    Name(NameError),
    NoSocket,
    Silent,
    Past(u64),
    Ntp(NtpError),
}

impl AskError {
    /// Whether the server wants to be left in peace (a kiss of death, RFC 4330, section 8).
    fn is_refusal(&self) -> bool {
        matches!(self, AskError::Ntp(NtpError::KissOfDeath(_)))
    }
}

impl From<TimeoutError> for AskError {
    fn from(_: TimeoutError) -> Self {
        AskError::Silent
    }
}

impl From<NameError> for AskError {
    fn from(error: NameError) -> Self {
        AskError::Name(error)
    }
}

impl From<NtpError> for AskError {
    fn from(error: NtpError) -> Self {
        AskError::Ntp(error)
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AskError::Name(error) => return write!(f, "{error}"),
            AskError::NoSocket => "there is no socket free",
            AskError::Silent => "it does not answer",
            AskError::Past(seconds) => {
                return write!(f, "it says {}, which is long past", Utc(*seconds));
            }
            AskError::Ntp(NtpError::KissOfDeath(_)) => "it does not want to be asked",
            AskError::Ntp(NtpError::UnsynchronizedClock) => "its own clock is not set",
            AskError::Ntp(NtpError::Network) => "it cannot be reached",
            AskError::Ntp(_) => "its answer makes no sense",
        })
    }
}

/// Seconds since the beginning of 1970, as a person reads them.
pub(crate) struct Utc(pub u64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / 86_400, self.0 % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"
        )
    }
}

/// Year, month and day so many days after 1970-01-01. What is later than NTP can say is cut off.
fn date(days: u64) -> (u64, usize, u64) {
    let mut rest = days.min(DAYS_MAX);
    let mut year = 1970;
    while rest >= days_in(year) {
        rest -= days_in(year);
        year += 1;
    }
    let february = days_in(year) - 337;
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    for (month, length) in (1..).zip(months) {
        if rest < length {
            return (year, month, rest + 1);
        }
        rest -= length;
    }
    (year, 12, 31)
}

/// Three centuries.
const DAYS_MAX: u64 = 300 * 365;

fn days_in(year: u64) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if is_leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn seconds_are_shown_as_a_date_leap_days_too() {
        for (seconds, shown) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (WRITTEN, "2026-01-01 00:00:00 UTC"),
            (4_107_542_399, "2100-02-28 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(Utc(seconds).to_string(), shown);
        }
        // Nothing overflows.
        assert!(!Utc(u64::MAX).to_string().is_empty());
    }

    #[test]
    fn two_questions_are_never_alike() {
        let mut random = Random::new(1);
        let (one, other) = (Stamp::new(&mut random), Stamp::new(&mut random));
        assert_ne!(one.begin, other.begin);
        let longest = Stamp {
            begin: WRITTEN * 1_000_000 + (0x3_ffff_u64 << 32 | u64::from(u32::MAX)),
            now: 0,
        };
        // Half an era: sntpc's condition for telling the right one.
        assert!(longest.begin / 1_000_000 < WRITTEN + (1 << 31));
    }
}
