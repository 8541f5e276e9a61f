//! The network of the access point: an address for whoever joins it (DHCP), and the device's own
//! address for every name anybody asks for (DNS), so that a phone finds the portal by itself.

use core::net::Ipv4Addr;
use core::time::Duration as CoreDuration;

use edge_dhcp::server::{Server, ServerOptions};
use edge_dhcp::{Options, Packet};
use embassy_executor::Spawner;
use embassy_futures::join::join;
use embassy_futures::select::select;
use embassy_net::{Config, IpEndpoint, Ipv4Cidr, Stack, StaticConfigV4};
use embassy_time::Instant;
use heapless::Vec;

use crate::udp::Memory;

/// The device's address there.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 1);
/// How many sockets there are at once: DHCP's, DNS's, one that every stack has, to ask for names; and
/// those of the console.
pub const SOCKETS: usize = 3 + crate::CONSOLE_SOCKETS;

/// How many can join. There are as many addresses, so that one is given anew when its time is over.
pub const LEASES: usize = 8;
/// For how long an address is given, in seconds.
const LEASE_SECONDS: u32 = 600;
const DHCP_SERVER: u16 = 67;
const DHCP_CLIENT: u16 = 68;
/// The longest message of DHCP: one packet.
const DHCP_MESSAGE: usize = 1472;
/// The longest that is answered: the fixed part, and a few options.
const DHCP_ANSWER: usize = 400;
const DNS: u16 = 53;
/// The longest question, and its answer (RFC 1035, section 2.3.4).
const DNS_MESSAGE: usize = 512;
/// Bytes for those that wait.
const DNS_WAITING: usize = 2 * DNS_MESSAGE;
/// How long an answer may be remembered: not longer than the phone is here.
const DNS_TTL: CoreDuration = CoreDuration::from_secs(10);
/// How many messages may wait.
const WAITING: usize = 4;

/// The configuration of the access point's stack.
pub fn config() -> Config {
    Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(ADDRESS, 24),
        gateway: None,
        dns_servers: Vec::new(),
    })
}

/// Has those served who join, whenever the access point is open. A board does it once.
///
/// # Panics
/// The second time.
pub fn open(spawner: Spawner, stack: Stack<'static>) {
    spawner.spawn(serve(stack).expect("it is spawned once"));
}

#[embassy_executor::task]
async fn serve(stack: Stack<'static>) {
    loop {
        stack.wait_link_up().await;
        select(stack.wait_link_down(), join(dhcp(stack), dns(stack))).await;
    }
}

async fn dhcp(stack: Stack<'_>) {
    let mut memory = Memory::<DHCP_MESSAGE, WAITING, DHCP_ANSWER, 1>::new();
    let mut socket = memory.socket(stack);
    if socket.bind(DHCP_SERVER).is_err() {
        return;
    }
    let mut leases = Leases::new(|| Instant::now().as_secs());
    loop {
        let mut room = [0; DHCP_ANSWER];
        let answered = socket.recv_from_with(|message, _| leases.answer(message, &mut room));
        if let Some((to, length)) = answered.await {
            let answer = room.get(..length).unwrap_or_default();
            let _ = socket.send_to(answer, to).await;
        }
    }
}

/// Who has which address.
struct Leases<F>(Server<F, LEASES>);

impl<F: FnMut() -> u64> Leases<F> {
    /// Nobody has one. `now` is in seconds.
    fn new(now: F) -> Self {
        let [a, b, c, last] = ADDRESS.octets();
        let mut server = Server::new(now, ADDRESS);
        server.range_start = Ipv4Addr::new(a, b, c, last + 1);
        server.range_end = Ipv4Addr::new(a, b, c, last + LEASES as u8);
        Leases(server)
    }

    /// Writes the answer to a message, if it has one: to whom, and how long it is.
    fn answer(&mut self, message: &[u8], room: &mut [u8]) -> Option<(IpEndpoint, usize)> {
        let request = Packet::decode(message).ok()?;
        let mut gateway = [ADDRESS];
        let mut options = ServerOptions::new(ADDRESS, Some(&mut gateway));
        let dns = [ADDRESS];
        options.dns = &dns;
        options.lease_duration_secs = LEASE_SECONDS;
        let mut room_for_options = Options::buf();
        let answer = self
            .0
            .handle_request(&mut room_for_options, &options, &request)?;
        let length = answer.encode(room).ok()?.len();
        // RFC 2131, section 4.1: who has no address yet hears only what is said to all.
        let to = match request.broadcast || request.ciaddr.is_unspecified() {
            true => Ipv4Addr::BROADCAST,
            false => request.ciaddr,
        };
        Some((IpEndpoint::new(to.into(), DHCP_CLIENT), length))
    }
}

async fn dns(stack: Stack<'_>) {
    let mut memory = Memory::<DNS_WAITING, WAITING, DNS_WAITING, WAITING>::new();
    let mut socket = memory.socket(stack);
    if socket.bind(DNS).is_err() {
        return;
    }
    loop {
        let mut room = [0; DNS_MESSAGE];
        let answered = socket.recv_from_with(|question, from| {
            let length = answer_dns(question, &mut room)?;
            Some((from.endpoint, length))
        });
        if let Some((to, length)) = answered.await {
            let answer = room.get(..length).unwrap_or_default();
            let _ = socket.send_to(answer, to).await;
        }
    }
}

/// Writes the answer to a question, if it is one; returns how long it is.
fn answer_dns(question: &[u8], room: &mut [u8]) -> Option<usize> {
    const IS_RESPONSE: u8 = 0x80;
    // An answer that is answered comes back for ever.
    if question.get(2)? & IS_RESPONSE != 0 {
        return None;
    }
    edge_captive::reply(question, &ADDRESS.octets(), DNS_TTL, room).ok()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use core::cell::Cell;
    use std::vec::Vec;

    use edge_dhcp::{DhcpOption, MessageType};

    use super::*;

    /// What a client of this number says.
    fn message(client: u8, options: &[DhcpOption<'_>]) -> Vec<u8> {
        let mac = [2, 0, 0, 0, 0, client];
        let request = Packet::new_request(mac, 7, 0, None, false, Options::new(options));
        let mut room = [0; 600];
        request.encode(&mut room).unwrap().to_vec()
    }

    fn discover(client: u8) -> Vec<u8> {
        message(client, &[DhcpOption::MessageType(MessageType::Discover)])
    }

    fn request(client: u8, address: Ipv4Addr) -> Vec<u8> {
        message(
            client,
            &[
                DhcpOption::MessageType(MessageType::Request),
                DhcpOption::RequestedIpAddress(address),
            ],
        )
    }

    /// The address that is given, and the answer's options.
    fn ask<F: FnMut() -> u64>(leases: &mut Leases<F>, message: &[u8]) -> (Ipv4Addr, MessageType) {
        let mut room = [0; DHCP_ANSWER];
        let (to, length) = leases.answer(message, &mut room).unwrap();
        assert_eq!(to, IpEndpoint::new(Ipv4Addr::BROADCAST.into(), DHCP_CLIENT));
        let answer = Packet::decode(&room[..length]).unwrap();
        let mut kind = None;
        for option in answer.options.iter() {
            match option {
                DhcpOption::MessageType(it) => kind = Some(it),
                DhcpOption::Router(ips) | DhcpOption::DomainNameServer(ips) => {
                    assert_eq!(ips.iter().collect::<Vec<_>>(), [ADDRESS]);
                }
                DhcpOption::SubnetMask(mask) => assert_eq!(mask, Ipv4Addr::new(255, 255, 255, 0)),
                _ => {}
            }
        }
        (answer.yiaddr, kind.unwrap())
    }

    #[test]
    fn each_client_gets_an_address_of_its_own_and_keeps_it() {
        let mut leases = Leases::new(|| 0);
        for client in 0..LEASES as u8 {
            for _ in 0..2 {
                let (address, kind) = ask(&mut leases, &discover(client));
                assert_eq!(kind, MessageType::Offer);
                assert_eq!(address, Ipv4Addr::new(192, 168, 4, 2 + client));
                let taken = ask(&mut leases, &request(client, address));
                assert_eq!(taken, (address, MessageType::Ack));
            }
        }
        let others = Ipv4Addr::new(192, 168, 4, 2);
        assert_eq!(ask(&mut leases, &request(99, others)).1, MessageType::Nak);
    }

    #[test]
    fn who_comes_when_all_addresses_are_given_gets_one_whose_time_is_over() {
        let now = Cell::new(0);
        let mut leases = Leases::new(|| now.get());
        for client in 0..LEASES as u8 {
            let (address, _) = ask(&mut leases, &discover(client));
            ask(&mut leases, &request(client, address));
        }
        let mut room = [0; DHCP_ANSWER];
        assert_eq!(leases.answer(&discover(99), &mut room), None);
        now.set(u64::from(LEASE_SECONDS) + 1);
        let (address, _) = ask(&mut leases, &discover(99));
        let taken = ask(&mut leases, &request(99, address));
        assert_eq!(taken, (address, MessageType::Ack));
    }

    /// A question for the address of this name.
    fn question(name: &str, kind: u8) -> Vec<u8> {
        let mut question = Vec::from([0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        for label in name.split('.') {
            question.push(u8::try_from(label.len()).unwrap());
            question.extend(label.bytes());
        }
        question.extend([0, 0, kind, 0, 1]);
        question
    }

    #[test]
    fn every_name_has_the_devices_address_and_no_other_kind_of_record() {
        let mut room = [0; DNS_MESSAGE];
        for name in ["connectivitycheck.gstatic.com", "captive.apple.com", "x"] {
            let asked = question(name, 1);
            let length = answer_dns(&asked, &mut room).unwrap();
            let answer = &room[..length];
            assert_eq!(answer[..2], [0, 7]);
            assert_eq!(answer[3] & 0x0f, 0, "no error");
            assert!(
                answer.ends_with(&[0, 0, 0, 10, 0, 4, 192, 168, 4, 1]),
                "{answer:?}"
            );
            // Of the newer kind of address there is none, which is no error.
            let length = answer_dns(&question(name, 28), &mut room).unwrap();
            assert_eq!((room[3] & 0x0f, room[6..8].to_vec()), (0, [0, 0].to_vec()));
            assert!(length < asked.len() + 16);
        }
    }

    #[test]
    fn what_makes_no_sense_gets_no_answer_and_does_no_harm() {
        let mut state = 5_u32;
        let mut below = |limit: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % limit
        };
        let mut leases = Leases::new(|| 0);
        let messages = [discover(1), request(2, ADDRESS), question("a.example", 1)];
        for round in 0..20_000 {
            let mut bytes = messages[round % messages.len()].clone();
            for _ in 0..below(8) {
                let place = below(bytes.len());
                bytes[place] = below(256) as u8;
            }
            bytes.truncate(below(bytes.len() + 1));
            let mut room = [0; DHCP_MESSAGE];
            let _ = leases.answer(&bytes, &mut room);
            let _ = answer_dns(&bytes, &mut room);
        }
        let mut is_answer = question("a.example", 1);
        is_answer[2] |= 0x80;
        assert_eq!(answer_dns(&is_answer, &mut [0; DNS_MESSAGE]), None);
    }
}
