//! How a device says goodbye.

mod common;

use common::{Bench, Step};
use monster::device::{Input, Output, ResetReason};
use mqttbytes::v4::Packet;

fn ends_well(bench: &Bench, output: Output) {
    assert_eq!(bench.ended, Some(output));
    assert!(!bench.open);
    assert!(
        bench.wire.ends_with(b"\xe0\x00"),
        "DISCONNECT is the last word"
    );
    assert_eq!(bench.device.deadline(), None);
}

#[test]
fn stop_publishes_offline_then_disconnects_then_closes() {
    let mut bench = Bench::online(&[]);
    bench.forget();
    bench.handle(Input::Stop);
    let [
        Step::Sent(offline),
        Step::Sent(disconnect),
        Step::Output(Output::Close),
        Step::Output(Output::Stopped),
    ] = &bench.steps[..]
    else {
        panic!("{:?}", bench.steps);
    };
    let [Packet::Publish(offline)] = &offline[..] else {
        panic!("{offline:?}");
    };
    assert_eq!(offline.topic, "monster/a1b2c3/status");
    assert_eq!(&offline.payload[..], b"offline");
    assert!(offline.retain);
    assert_eq!(disconnect[..], [Packet::Disconnect]);
    ends_well(&bench, Output::Stopped);
}

#[test]
fn what_was_to_be_said_is_said_before_offline() {
    let mut bench = Bench::online(&[("classic.enabled", "false")]);
    bench.acknowledges = false;
    for command in ["off", "on", "off", "on", "off", "on"] {
        bench.command("switch/0/set", command);
    }
    bench.press(60);
    let waiting: Vec<u16> = bench.published().iter().map(|it| it.pkid).collect();
    bench.handle(Input::Stop);
    assert_eq!(bench.said(), [""; 0], "four are in flight");
    bench.acknowledges = true;
    for identifier in waiting {
        bench.acknowledge(identifier);
    }
    assert_eq!(
        bench.said(),
        [
            "monster/a1b2c3/switch/0 off",
            "monster/a1b2c3/switch/0 on",
            "monster/a1b2c3/switch/0 off",
            r#"monster/a1b2c3/button/0 {"event_type":"single"}"#,
            "monster/a1b2c3/status offline",
        ]
    );
    ends_well(&bench, Output::Stopped);
}

#[test]
fn a_broker_that_does_not_answer_is_waited_for_2_s() {
    let mut bench = Bench::online(&[]);
    bench.acknowledges = false;
    bench.handle(Input::Stop);
    bench.pass(1_999);
    assert_eq!(bench.ended, None);
    bench.pass(1);
    assert_eq!(bench.ended, Some(Output::Stopped));
    assert!(!bench.open);
}

#[test]
fn a_broker_that_does_not_read_is_waited_for_2_s() {
    let mut bench = Bench::online(&[]);
    bench.reads = false;
    bench.handle(Input::Stop);
    bench.pass(2_000);
    assert_eq!(bench.ended, Some(Output::Stopped));
}

#[test]
fn a_connection_that_breaks_in_the_middle_of_the_goodbye_ends_it() {
    let mut bench = Bench::online(&[]);
    bench.acknowledges = false;
    bench.handle(Input::Stop);
    bench.cut();
    assert_eq!(bench.ended, Some(Output::Stopped));
    let mut bench = Bench::online(&[]);
    bench.acknowledges = false;
    bench.handle(Input::Stop);
    bench.handle(Input::Network(false));
    assert_eq!(bench.ended, Some(Output::Stopped));
}

#[test]
fn who_is_not_online_stops_at_once() {
    let mut bench = Bench::new(&[]);
    bench.handle(Input::Stop);
    assert_eq!(bench.ended, Some(Output::Stopped));
    let mut bench = Bench::new(&[]);
    bench.open();
    bench.handle(Input::Stop);
    assert_eq!(bench.ended, Some(Output::Stopped));
    assert!(!bench.open);
    let mut bench = Bench::online(&[]);
    bench.cut();
    bench.handle(Input::Stop);
    assert_eq!(bench.ended, Some(Output::Stopped));
    let mut bench = Bench::new(&[]);
    bench.handle(Input::Network(false));
    bench.handle(Input::Stop);
    assert_eq!(bench.ended, Some(Output::Stopped));
}

#[test]
fn a_restart_by_command_says_offline_and_disconnects_too() {
    let mut bench = Bench::online(&[]);
    bench.forget();
    bench.command("sys/set", "restart");
    let acknowledged = bench
        .packets
        .iter()
        .any(|packet| matches!(packet, Packet::PubAck(ack) if ack.pkid == 100));
    assert!(
        acknowledged,
        "or the broker would send it again after the restart"
    );
    assert_eq!(bench.said(), ["monster/a1b2c3/status offline"]);
    ends_well(&bench, Output::Restart(ResetReason::Command));
}

#[test]
fn without_the_structured_tree_a_stop_is_a_disconnect() {
    let mut bench = Bench::online(&[("structured.enabled", "false")]);
    bench.forget();
    bench.handle(Input::Stop);
    assert_eq!(bench.wire, b"\xe0\x00");
    ends_well(&bench, Output::Stopped);
}

#[test]
fn whatever_comes_after_the_end_nothing_happens() {
    let mut bench = Bench::online(&[]);
    bench.handle(Input::Stop);
    bench.forget();
    for input in [
        Input::Stop,
        Input::Network(false),
        Input::Network(true),
        Input::Connected { ip: None },
        Input::Closed("late"),
        Input::Saved(16),
        Input::SaveFailed(0),
        Input::Pulses(&[]),
    ] {
        bench.handle(input);
    }
    bench.pass(10_000_000);
    assert_eq!(bench.steps, []);
}

#[test]
fn a_state_that_waits_to_be_stored_is_stored_before_the_end() {
    let restore = [("switch.power_on", "restore")];
    for command in [None, Some("restart")] {
        let mut bench = Bench::online(&restore);
        bench.command("switch/0/set", "off");
        bench.command("switch/0/set", "on");
        bench.command("switch/0/set", "off");
        bench.pass(1_000);
        bench.command("switch/0/set", "on");
        bench.pass(1_000);
        match command {
            None => bench.handle(Input::Stop),
            Some(word) => bench.command("sys/set", word),
        }
        assert!(bench.ended.is_some());
        assert_eq!(bench.power_cut(&restore).pin, Some(true), "{command:?}");
    }
}
