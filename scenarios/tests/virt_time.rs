//! The time of day, on the virtual microcontroller in QEMU.

use std::time::{Duration, Instant};

use monster_scenarios::device::{Board, Device, Options};
use monster_scenarios::scratch::Folder;
use monster_scenarios::time_server::{Manner, TimeServer};
use monster_scenarios::virt::Virt;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn the_time_comes_from_a_server_whose_clock_is_set_and_who_was_asked() {
    let server = TimeServer::start(&[Manner::NotSet, Manner::Guessing, Manner::Right]);
    let state = Folder::new();
    let mut device = started(&state, &server.setting());
    for said in [
        "its own clock is not set; asking again in 1 s",
        "its answer makes no sense; asking again in 2 s",
        "the time is 20",
    ] {
        expect(&mut *device, said);
    }
}

#[test]
fn a_server_that_does_not_want_to_be_asked_is_left_in_peace() {
    let server = TimeServer::start(&[Manner::Refusing]);
    let state = Folder::new();
    let mut device = started(&state, &server.setting());
    expect(
        &mut *device,
        "it does not want to be asked; asking again in 1024 s",
    );
}

fn started(state: &Folder, time_server: &str) -> Box<dyn Device> {
    let options = Options {
        id: "time".into(),
        broker: "mqtt://127.0.0.1:1".into(),
        settings: vec![("time.server".into(), time_server.into())],
        state: state.path().into(),
        resolver: None,
        has_cable: false,
    };
    let mut device = Virt.device(options);
    device.power_on();
    device
}

fn expect(device: &mut dyn Device, text: &str) {
    let deadline = Instant::now() + SOON;
    while !device.log().iter().any(|line| line.contains(text)) {
        assert!(Instant::now() < deadline, "it does not say `{text}`");
        std::thread::sleep(Duration::from_millis(20));
    }
}
