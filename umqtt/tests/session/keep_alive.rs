//! PINGREQ, PINGRESP, and links that are dead (section 3.1.2.10).

use mqttbytes::v4::Packet;
use umqtt::{Connect, Error, Publish};

use crate::pair::{Pair, Seen, publish_bytes};

// 3.1.1: [MQTT-3.1.2-23]
#[test]
fn a_ping_is_due_after_three_quarters_of_the_keep_alive() {
    let mut pair = Pair::connected(64, 64);
    assert_eq!(pair.session.deadline(), Some(pair.now.after(45_000)));
    pair.advance(44_999);
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.packets(), []);
    pair.advance(1);
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.packets(), [Packet::PingReq]);
    pair.advance(20);
    assert_eq!(pair.exchange(&[0xd0, 0]), Ok(vec![Seen::Pong]));
    assert_eq!(pair.session.round_trip(), Some(20));
    assert_eq!(pair.session.deadline(), Some(pair.now.after(45_000 - 20)));
}

#[test]
fn a_link_on_which_nothing_comes_within_ten_seconds_is_dead() {
    let mut pair = Pair::connected(64, 64);
    pair.advance(45_000);
    pair.poll().unwrap();
    assert_eq!(pair.session.deadline(), Some(pair.now.after(10_000)));
    pair.transmit();
    pair.advance(9_999);
    assert_eq!(pair.poll(), Ok(None));
    pair.advance(1);
    assert_eq!(pair.poll(), Err(Error::PingTimeout));
    assert!(pair.session.is_closed());
}

#[test]
fn a_pause_of_any_length_ends_with_what_is_due_and_a_deadline_that_lies_ahead() {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    // Also those that are nothing, or next to it, modulo 2^32 milliseconds.
    for pause in [
        DAY,
        25 * DAY,
        30 * DAY,
        1 << 32,
        (1 << 32) + 1,
        60 * DAY,
        3_650 * DAY,
    ] {
        let mut pair = Pair::connected(64, 64);
        pair.advance(pause);
        assert_eq!(pair.poll(), Ok(None), "{pause}");
        assert_eq!(pair.packets(), [Packet::PingReq], "{pause}");
        assert_eq!(pair.session.deadline(), Some(pair.now.after(10_000)));
        pair.advance(pause);
        assert_eq!(pair.poll(), Err(Error::PingTimeout), "{pause}");

        // Without a keep-alive, after silence of any length.
        let connect = Connect {
            keep_alive: 0,
            ..Connect::new("a")
        };
        let mut pair = Pair::new(64, 64);
        pair.session.connect(&connect, pair.now).unwrap();
        pair.transmit();
        pair.exchange(&[0x20, 2, 0, 0]).unwrap();
        pair.advance(pause);
        pair.session.ping(pair.now).unwrap();
        assert_eq!(pair.poll(), Ok(None), "{pause}");
        assert_eq!(pair.session.deadline(), Some(pair.now.after(10_000)));
    }
}

#[test]
fn a_ping_that_cannot_even_be_sent_counts_from_when_it_was_due() {
    let mut pair = Pair::connected(64, 64);
    pair.advance(45_000);
    pair.poll().unwrap();
    assert_eq!(pair.session.transmit(), [0xc0, 0]);
    pair.advance(10_000);
    assert_eq!(pair.poll(), Err(Error::PingTimeout));
}

#[test]
fn heartbeats_alone_do_not_hide_a_dead_broker() {
    let mut pair = Pair::connected(64, 64);
    let start = pair.now;
    let error = loop {
        pair.advance(5_000);
        match pair.poll() {
            Ok(None) => {}
            other => break other,
        }
        pair.publish(Publish::new("After", b"t=1"));
        pair.transmit();
    };
    assert_eq!(error, Err(Error::PingTimeout));
    assert_eq!(pair.now.since(start), 55_000);
}

#[test]
fn a_client_that_only_listens_pings_as_well() {
    let mut pair = Pair::connected(64, 64);
    let mut pings = 0;
    for _ in 0..36 {
        pair.advance(5_000);
        let heard = pair.exchange(&publish_bytes(0, b"t", None, b"x"));
        assert_eq!(heard, Ok(vec![Seen::message("t", b"x", 0)]));
        if pair.packets() == [Packet::PingReq] {
            pings += 1;
            assert_eq!(pair.exchange(&[0xd0, 0]), Ok(vec![Seen::Pong]));
        }
    }
    assert_eq!(pings, 4, "every 45 s of 180");
}

#[test]
fn anything_received_answers_a_ping() {
    let mut pair = Pair::connected(64, 64);
    pair.advance(45_000);
    pair.exchange(b"").unwrap();
    pair.advance(9_000);
    pair.exchange(&publish_bytes(0, b"t", None, b"x")).unwrap();
    pair.advance(9_000);
    assert_eq!(pair.poll(), Ok(None));
    // The late answer is still measured from the first question.
    assert_eq!(pair.exchange(&[0xd0, 0]), Ok(vec![Seen::Pong]));
    assert_eq!(pair.session.round_trip(), Some(18_000));
}

#[test]
fn pinging_again_and_again_does_not_put_the_end_off() {
    let mut pair = Pair::connected(64, 64);
    let start = pair.now;
    let error = loop {
        pair.session.ping(pair.now).unwrap();
        pair.transmit();
        pair.advance(1_000);
        match pair.poll() {
            Ok(None) => {}
            other => break other,
        }
    };
    assert_eq!(error, Err(Error::PingTimeout));
    assert_eq!(pair.now.since(start), 10_000);
}

#[test]
fn without_keep_alive_nothing_is_due_unless_the_caller_pings() {
    let mut pair = Pair::new(64, 64);
    let connect = Connect {
        keep_alive: 0,
        ..Connect::new("a")
    };
    pair.reconnect(&connect, false);
    assert_eq!(pair.session.deadline(), None);
    pair.advance(1_000_000_000);
    assert_eq!(pair.poll(), Ok(None));
    assert_eq!(pair.bytes(), b"");
    pair.session.ping(pair.now).unwrap();
    pair.transmit();
    pair.advance(10_000);
    assert_eq!(pair.poll(), Err(Error::PingTimeout));
}

#[test]
fn what_waits_in_the_receive_buffer_is_looked_at_before_the_clock() {
    let mut pair = Pair::connected(64, 64);
    pair.session.ping(pair.now).unwrap();
    pair.transmit();
    pair.advance(20_000);
    pair.receive(&[0xd0, 0]);
    assert_eq!(pair.poll(), Ok(Some(Seen::Pong)));
    assert_eq!(pair.poll(), Ok(None));
}

#[test]
fn a_pingreq_is_forgotten_once_it_was_sent_whatever_stands_behind_it() {
    let mut pair = Pair::connected(64, 64);
    pair.session.ping(pair.now).unwrap();
    pair.publish(umqtt::Publish::new("t", b"x").qos(umqtt::Qos::AtLeastOnce));
    pair.bytes();
    pair.exchange(&crate::pair::ack(0x40, 1)).unwrap();
    assert!(pair.session.is_idle());
}
