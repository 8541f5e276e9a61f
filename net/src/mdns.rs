//! The device's name on its own network, `monster-<id>.local`, for whoever asks by multicast DNS
//! (RFC 6762).
//!
//! Nobody is asked first whether the name is free: it has the device's id in it.

use core::fmt::Write;
use core::net::Ipv6Addr;

use edge_mdns::domain::base::Ttl;
use edge_mdns::host::Host;
use edge_mdns::{HostAnswersMdnsHandler, MdnsHandler, MdnsRequest, MdnsResponse};
use embassy_futures::select::{Either, select};
use embassy_net::udp::UdpMetadata;
use embassy_net::{IpAddress, IpEndpoint, Ipv4Cidr, Stack};
use embassy_time::{Duration, Instant, Timer};
use heapless::String;
use monster::identity::DeviceId;

use crate::udp::Memory;

/// Where everybody asks.
const GROUP: IpEndpoint = IpEndpoint::new(IpAddress::v4(224, 0, 0, 251), PORT);
const PORT: u16 = 5353;
/// How long an answer may be remembered (section 10).
const TTL: Ttl = Ttl::from_secs(120);
/// The time between two answers to all, at least (section 6).
const PAUSE: Duration = Duration::from_secs(1);
/// How often the name is said without having been asked, after the network was joined (section 8.3).
const ANNOUNCEMENTS: usize = 2;
/// The longest question that is looked at: one packet.
const QUESTION: usize = 1472;
/// The longest answer: the name, an address, and a question given back.
const ANSWER: usize = 512;
/// How many questions may wait.
const WAITING: usize = 4;

/// `monster-` and the longest id.
type Name = String<40>;

/// Answers for the name of the device of this id, for ever.
pub(crate) async fn run(stack: Stack<'_>, id: &DeviceId) -> ! {
    let mut name = Name::new();
    // The longest fits.
    let _ = write!(name, "monster-{}", id.as_str());
    loop {
        stack.wait_config_up().await;
        if let Some(config) = stack.config_v4() {
            // Those who ask it directly get an answer also if the group cannot be joined.
            let _ = stack.join_multicast_group(GROUP.addr);
            select(
                stack.wait_config_down(),
                answer(stack, &name, config.address),
            )
            .await;
        }
        stack.wait_config_down().await;
    }
}

async fn answer(stack: Stack<'_>, name: &str, address: Ipv4Cidr) {
    let mut memory = Memory::<QUESTION, WAITING, ANSWER, 1>::new();
    let mut socket = memory.socket(stack);
    if socket.bind(PORT).is_err() {
        return;
    }
    // Section 11: so that who gets it sees that nobody has sent it on.
    socket.set_hop_limit(Some(255));
    let mut responder = Responder::new(name, address);
    let mut announcements = ANNOUNCEMENTS;
    let mut due = Instant::now();
    loop {
        let mut room = [0; ANSWER];
        let asked = socket.recv_from_with(|question, UdpMetadata { endpoint, .. }| {
            responder.reply(question, endpoint, Instant::now(), &mut room)
        });
        match select(asked, Timer::at(due)).await {
            Either::First(Some((to, length))) => {
                let reply = room.get(..length).unwrap_or_default();
                let _ = socket.send_to(reply, to).await;
            }
            Either::First(None) => {}
            Either::Second(()) => {
                announcements = announcements.saturating_sub(1);
                due = match announcements {
                    0 => Instant::MAX,
                    _ => Instant::now() + PAUSE,
                };
                if let Some(length) = responder.announcement(Instant::now(), &mut room) {
                    let reply = room.get(..length).unwrap_or_default();
                    let _ = socket.send_to(reply, GROUP).await;
                }
            }
        }
    }
}

/// What is said of the device's name.
struct Responder<'a> {
    handler: HostAnswersMdnsHandler<Host<'a>>,
    network: Ipv4Cidr,
    /// When everybody was last told.
    told: Option<Instant>,
}

impl<'a> Responder<'a> {
    fn new(name: &'a str, address: Ipv4Cidr) -> Self {
        let host = Host {
            hostname: name,
            ipv4: address.address(),
            ipv6: Ipv6Addr::UNSPECIFIED,
            ttl: TTL,
        };
        Responder {
            handler: HostAnswersMdnsHandler::new(host),
            network: address,
            told: None,
        }
    }

    /// Writes the reply to a question, if it has one: to whom, and how long it is.
    fn reply(
        &mut self,
        question: &[u8],
        from: IpEndpoint,
        now: Instant,
        room: &mut [u8],
    ) -> Option<(IpEndpoint, usize)> {
        let IpAddress::Ipv4(address) = from.addr;
        // Section 11: nobody else is to know what is here.
        if !self.network.contains_addr(&address) {
            return None;
        }
        // Section 6.7: who asks from elsewhere is a simple resolver, which listens to itself alone.
        let is_simple = from.port != PORT;
        if !is_simple && self.told.is_some_and(|told| now < told + PAUSE) {
            return None;
        }
        let request = MdnsRequest::Request {
            legacy: is_simple,
            multicast: true,
            data: question,
        };
        let length = self.write(request, room)?;
        if is_simple {
            return Some((from, length));
        }
        self.told = Some(now);
        Some((GROUP, length))
    }

    /// Writes what is said without having been asked.
    fn announcement(&mut self, now: Instant, room: &mut [u8]) -> Option<usize> {
        self.told = Some(now);
        self.write(MdnsRequest::None, room)
    }

    fn write(&mut self, request: MdnsRequest<'_>, room: &mut [u8]) -> Option<usize> {
        match self.handler.handle(request, room) {
            Ok(MdnsResponse::Reply { data, .. }) => Some(data.len()),
            // Also what makes no sense.
            Ok(MdnsResponse::None) | Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use embassy_net::Ipv4Address;

    use super::*;

    const NETWORK: Ipv4Cidr = Ipv4Cidr::new(Ipv4Address::new(192, 168, 1, 7), 24);
    const NEIGHBOUR: IpAddress = IpAddress::v4(192, 168, 1, 50);
    const START: Instant = Instant::from_millis(0);

    /// A question for the address of this name.
    fn question(name: &str) -> Vec<u8> {
        let mut question = Vec::from([0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        for label in name.split('.') {
            question.push(u8::try_from(label.len()).unwrap());
            question.extend(label.bytes());
        }
        question.extend([0, 0, 1, 0, 1]);
        question
    }

    /// What is replied to this question, asked from this port of a neighbour at this time.
    fn reply(
        responder: &mut Responder<'_>,
        question: &[u8],
        port: u16,
        now: Instant,
    ) -> Option<(IpEndpoint, Vec<u8>)> {
        let mut room = [0; ANSWER];
        let from = IpEndpoint::new(NEIGHBOUR, port);
        let (to, length) = responder.reply(question, from, now, &mut room)?;
        Some((to, room[..length].to_vec()))
    }

    #[test]
    fn the_name_is_known_to_all_neighbours_in_any_case_and_no_other_is() {
        let mut responder = Responder::new("monster-a1b2c3", NETWORK);
        let asked = question("MONSTER-a1b2c3.Local");
        let (to, answer) = reply(&mut responder, &asked, PORT, START).unwrap();
        assert_eq!(to, GROUP);
        // An answer, for two minutes: the address.
        assert_eq!(answer[2] & 0x80, 0x80);
        let end = [0, 0, 0, 120, 0, 4, 192, 168, 1, 7];
        assert!(answer.ends_with(&end), "{answer:?}");
        let later = START + PAUSE;
        for other in ["monster-a1b2c4.local", "monster-a1b2c3", "local"] {
            assert_eq!(reply(&mut responder, &question(other), PORT, later), None);
        }
    }

    #[test]
    fn a_simple_resolver_is_answered_alone_with_its_question() {
        let mut responder = Responder::new("monster-a1b2c3", NETWORK);
        let asked = question("monster-a1b2c3.local");
        let (to, answer) = reply(&mut responder, &asked, 40_000, START).unwrap();
        assert_eq!(to, IpEndpoint::new(NEIGHBOUR, 40_000));
        assert_eq!(answer[..2], [0, 7]);
        assert_eq!(answer[12..asked.len()], asked[12..]);
    }

    #[test]
    fn all_are_told_at_most_once_a_second() {
        let mut responder = Responder::new("monster-a1b2c3", NETWORK);
        let asked = question("monster-a1b2c3.local");
        assert!(responder.announcement(START, &mut [0; ANSWER]).is_some());
        let soon = START + PAUSE - Duration::from_millis(1);
        assert_eq!(reply(&mut responder, &asked, PORT, soon), None);
        assert!(reply(&mut responder, &asked, PORT, START + PAUSE).is_some());
    }

    #[test]
    fn who_is_not_on_this_network_gets_no_answer() {
        let mut responder = Responder::new("monster-a1b2c3", NETWORK);
        let asked = question("monster-a1b2c3.local");
        for (address, port) in [([192, 168, 2, 50], 40_000), ([8, 8, 8, 8], PORT)] {
            let from = IpEndpoint::new(Ipv4Address::from(address).into(), port);
            let replied = responder.reply(&asked, from, START, &mut [0; ANSWER]);
            assert_eq!(replied, None);
        }
    }

    #[test]
    fn what_makes_no_sense_gets_no_answer() {
        let mut responder = Responder::new("monster-a1b2c3", NETWORK);
        let asked = question("monster-a1b2c3.local");
        for cut in 0..asked.len() {
            assert_eq!(reply(&mut responder, &asked[..cut], PORT, START), None);
        }
        let mut is_answer = asked.clone();
        is_answer[2] = 0x84;
        assert_eq!(reply(&mut responder, &is_answer, PORT, START), None);
        // A name that points to itself.
        let endless = [&asked[..12], &[0xc0, 12, 0, 1, 0, 1]].concat();
        assert_eq!(reply(&mut responder, &endless, PORT, START), None);
        // More questions than there are, and more than fit an answer.
        let mut many = asked.clone();
        many[5] = 200;
        assert_eq!(reply(&mut responder, &many, 40_000, START), None);
        for _ in 1..40 {
            many.extend_from_slice(&asked[12..]);
        }
        many[5] = 40;
        assert_eq!(reply(&mut responder, &many, 40_000, START), None);
    }
}
