//! The name of the device on its network, on the virtual microcontroller in QEMU.

use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use monster_scenarios::device::{Device, Options};
use monster_scenarios::scratch::{Folder, free_port};
use monster_scenarios::virt::VirtDevice;

const SOON: Duration = Duration::from_secs(20);

/// A question for the address of `monster-name.local`.
const QUESTION: &[u8] = b"\0\x07\0\0\0\x01\0\0\0\0\0\0\x0cmonster-name\x05local\0\0\x01\0\x01";

#[test]
fn whoever_asks_for_its_name_gets_its_address() {
    let state = Folder::new();
    let mut device = VirtDevice::new(Options {
        id: "name".into(),
        broker: "mqtt://127.0.0.1:1".into(),
        settings: Vec::new(),
        state: state.path().into(),
        resolver: None,
        has_cable: false,
    });
    device.power_on();
    let deadline = Instant::now() + SOON;
    let joined = |line: &String| line.contains("joined the network");
    while !device.log().iter().any(joined) {
        assert!(Instant::now() < deadline, "it does not join the network");
        thread::sleep(Duration::from_millis(20));
    }
    let port = free_port();
    device.forward_udp(port, 5353);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket
        .set_read_timeout(Some(Duration::from_millis(200)))
        .expect("a socket has a time-out");
    let mut answer = [0; 512];
    let length = loop {
        // A question may be lost.
        let asked = socket.send_to(QUESTION, (Ipv4Addr::LOCALHOST, port));
        asked.expect("the port is forwarded");
        match socket.recv(&mut answer) {
            Ok(length) => break length,
            Err(_) => assert!(Instant::now() < deadline, "nobody answers"),
        }
    };
    let answer = &answer[..length];
    // The same question, one answer, and in it the address that QEMU gives.
    assert_eq!(answer[..2], QUESTION[..2]);
    assert_eq!(answer[4..8], [0, 1, 0, 1]);
    assert!(answer.ends_with(&[0, 4, 10, 0, 2, 15]), "{answer:?}");
}
