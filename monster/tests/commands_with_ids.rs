//! Commands with ids: stored, executed once, answered; also when the power goes in between.

mod common;

use common::{Bench, Step, Store, message};
use monster::device::{Input, Output, ResetReason};
use mqttbytes::v4::{ConnectReturnCode, Packet};

const TREE: &[(&str, &str)] = &[("classic.enabled", "false")];

fn tree() -> Bench {
    let mut bench = Bench::online(TREE);
    bench.forget();
    bench
}

fn order(command: &str, id: &str) -> String {
    format!(r#"{{"command":"{command}","id":"{id}"}}"#)
}

fn reply(id: &str, rest: &str) -> String {
    format!(r#"monster/a1b2c3/reply {{"id":"{id}",{rest}}}"#)
}

fn done(id: &str, state: &str) -> String {
    reply(id, &format!(r#""ok":true,"state":"{state}""#))
}

fn refused(id: &str) -> String {
    let why = "the command could not be stored, and was not carried out";
    reply(id, &format!(r#""ok":false,"error":"{why}""#))
}

#[test]
fn it_is_stored_before_the_pin_moves_and_the_answer_and_the_puback_follow_in_one_piece() {
    let mut bench = tree();
    bench.store = Store::Writes;
    bench.command("switch/0/set", &order("toggle", "a"));
    let [Step::Output(Output::Save(record))] = &bench.steps[..] else {
        panic!("{:?}", bench.steps);
    };
    let key = record.key;
    bench.pass(300);
    assert_eq!(bench.steps.len(), 1, "not a word before it is stored");
    bench.steps.clear();
    bench.handle(Input::Saved(key));
    let [
        Step::Output(Output::Switch { level: false }),
        Step::Sent(packets),
    ] = &bench.steps[..]
    else {
        panic!("{:?}", bench.steps);
    };
    let [
        Packet::Publish(answer),
        Packet::Publish(state),
        Packet::PubAck(ack),
    ] = &packets[..]
    else {
        panic!("{packets:?}");
    };
    assert_eq!(
        &answer.payload[..],
        br#"{"id":"a","ok":true,"state":"off"}"#
    );
    assert!(!answer.retain);
    assert_eq!(&state.payload[..], b"off");
    assert_eq!(ack.pkid, 100);
}

#[test]
fn a_repeat_gets_the_first_answer_and_is_not_executed() {
    let mut bench = tree();
    bench.command("switch/0/set", &order("toggle", "a"));
    bench.command("switch/0/set", &order("toggle", "b"));
    assert_eq!(bench.levels, [false, true]);
    bench.forget();
    for _ in 0..3 {
        bench.command("switch/0/set", &order("toggle", "a"));
        assert_eq!(bench.said(), [done("a", "off")]);
    }
    assert_eq!(bench.levels, []);
    assert_eq!(bench.steps.len(), 3, "nothing is stored: {:?}", bench.steps);
}

#[test]
fn a_delivery_that_is_repeated_with_dup_after_the_connection_broke_is_executed_once() {
    let mut bench = tree();
    bench.command("switch/0/set", &order("toggle", "a"));
    bench.cut();
    bench.connect();
    bench.forget();
    let topic = "monster/a1b2c3/switch/0/set";
    let mut again = message(topic, order("toggle", "a").as_bytes(), Some(100), false);
    again[0] |= 0x08;
    bench.send(&again);
    assert_eq!(bench.said(), [done("a", "off")]);
    assert_eq!(bench.pin, Some(false));
}

#[test]
fn the_last_sixteen_ids_are_known_and_the_one_before_is_executed_again() {
    let mut bench = tree();
    for n in 0..17 {
        bench.command("switch/0/set", &order("toggle", &format!("n{n}")));
    }
    bench.forget();
    for n in 1..17 {
        bench.command("switch/0/set", &order("toggle", &format!("n{n}")));
        let state = if n % 2 == 0 { "off" } else { "on" };
        assert_eq!(bench.said(), [done(&format!("n{n}"), state)]);
    }
    assert_eq!(bench.levels, []);
    bench.command("switch/0/set", &order("toggle", "n0"));
    assert_eq!(bench.levels, [true]);
}

#[test]
fn after_a_power_cut_a_repeat_is_not_executed_and_tells_the_state_that_is() {
    let mut bench = tree();
    for n in 0..20 {
        bench.command("switch/0/set", &order("off", &format!("n{n}")));
    }
    let mut after = bench.power_cut(TREE);
    after.connect();
    after.forget();
    for n in 4..20 {
        after.command("switch/0/set", &order("off", &format!("n{n}")));
        assert_eq!(after.said(), [done(&format!("n{n}"), "on")]);
    }
    assert_eq!(after.pin, Some(true));
    after.command("switch/0/set", &order("off", "n3"));
    assert_eq!(after.pin, Some(false), "forgotten: 16 came after it");
}

#[test]
fn a_power_cut_between_storing_and_executing_leaves_it_not_executed_for_ever() {
    let mut bench = tree();
    bench.store = Store::Writes;
    bench.command("switch/0/set", &order("toggle", "a"));
    assert_eq!(bench.levels, []);
    let mut after = bench.power_cut(TREE);
    after.connect();
    after.forget();
    after.command("switch/0/set", &order("toggle", "a"));
    assert_eq!(after.said(), [done("a", "on")]);
    assert_eq!(after.levels, []);
}

#[test]
fn a_power_cut_before_it_is_stored_leaves_it_to_be_executed() {
    let mut bench = tree();
    bench.store = Store::Hangs;
    bench.command("switch/0/set", &order("toggle", "a"));
    let mut after = bench.power_cut(TREE);
    after.connect();
    after.forget();
    after.command("switch/0/set", &order("toggle", "a"));
    assert_eq!(after.levels, [false]);
}

#[test]
fn what_cannot_be_stored_is_not_executed_and_the_answer_says_so_and_it_can_be_sent_again() {
    let mut bench = tree();
    bench.store = Store::Fails;
    bench.command("switch/0/set", &order("toggle", "a"));
    assert_eq!(bench.said(), [refused("a")]);
    assert_eq!(bench.levels, []);
    bench.store = Store::Works;
    bench.command("switch/0/set", &order("toggle", "a"));
    assert_eq!(
        bench.said(),
        [done("a", "off"), "monster/a1b2c3/switch/0 off".to_owned()]
    );
    assert_eq!(bench.levels, [false]);
}

#[test]
fn what_cannot_be_stored_makes_the_device_forget_nothing() {
    let mut bench = tree();
    for n in 0..16 {
        bench.command("switch/0/set", &order("toggle", &format!("n{n}")));
    }
    bench.store = Store::Fails;
    bench.command("switch/0/set", &order("toggle", "x"));
    bench.store = Store::Works;
    bench.forget();
    bench.command("switch/0/set", &order("toggle", "n0"));
    assert_eq!(bench.said(), [done("n0", "off")]);
    assert_eq!(bench.levels, []);
}

#[test]
fn a_store_that_does_not_answer_within_5_s_has_failed() {
    let mut bench = tree();
    bench.store = Store::Hangs;
    bench.command("switch/0/set", &order("toggle", "a"));
    bench.pass(4_999);
    assert_eq!(bench.said(), [""; 0]);
    bench.pass(1);
    assert_eq!(bench.said(), [refused("a")]);
    // The word that comes too late is not believed.
    bench.handle(Input::Saved(16));
    assert_eq!(bench.levels, []);
}

#[test]
fn the_word_for_a_record_that_was_given_up_does_not_stand_for_the_next_one() {
    let mut bench = tree();
    bench.store = Store::Hangs;
    bench.command("switch/0/set", &order("toggle", "a"));
    let [Step::Output(Output::Save(first))] = &bench.steps[..] else {
        panic!("{:?}", bench.steps);
    };
    let first = first.key;
    bench.pass(5_000);
    bench.forget();
    bench.command("switch/0/set", &order("toggle", "b"));
    bench.handle(Input::Saved(first));
    assert_eq!(bench.levels, [], "b is not stored yet");
}

#[test]
fn while_one_is_being_stored_the_next_waits_and_the_button_does_not() {
    let mut bench = tree();
    bench.store = Store::Writes;
    bench.command("switch/0/set", &order("toggle", "a"));
    bench.command("switch/0/set", &order("toggle", "b"));
    bench.press(100);
    assert_eq!(bench.levels, [false]);
    assert_eq!(bench.records.len(), 1);
    bench.store = Store::Works;
    bench.handle(Input::Saved(16));
    assert_eq!(bench.levels.last(), Some(&false));
    assert_eq!(bench.records.len(), 2);
    let said = bench.said();
    assert!(said.contains(&done("a", "on")), "{said:?}");
    assert!(said.contains(&done("b", "off")), "{said:?}");
}

#[test]
fn one_that_is_being_stored_when_the_connection_breaks_is_executed_and_a_repeat_is_answered() {
    let mut bench = tree();
    bench.store = Store::Writes;
    bench.command("switch/0/set", &order("toggle", "a"));
    bench.cut();
    bench.handle(Input::Saved(16));
    assert_eq!(bench.levels, [false]);
    bench.store = Store::Works;
    bench.connect();
    bench.forget();
    bench.command("switch/0/set", &order("toggle", "a"));
    assert_eq!(bench.said(), [done("a", "off")]);
    assert_eq!(bench.levels, []);
}

#[test]
fn a_pulse_with_an_id_answers_on_and_its_repeat_does_not_start_it_anew() {
    let mut bench = Bench::online(&[("classic.enabled", "false"), ("switch.power_on", "off")]);
    bench.forget();
    bench.command("switch/0/set", &order("pulse 1000", "p"));
    assert_eq!(bench.said()[0], done("p", "on"));
    bench.pass(900);
    bench.command("switch/0/set", &order("pulse 1000", "p"));
    assert_eq!(bench.said(), [done("p", "on")]);
    bench.pass(100);
    assert_eq!(bench.pin, Some(false));
}

#[test]
fn a_wrong_command_with_an_id_is_answered_with_what_is_allowed_and_not_stored() {
    let mut bench = tree();
    bench.command("switch/0/set", &order("explode", "a"));
    let why = "unknown command; allowed are on, off, toggle, pulse <ms>";
    assert_eq!(
        bench.said(),
        [reply("a", &format!(r#""ok":false,"error":"{why}""#))]
    );
    bench.command("switch/0/set", &order("pulse 5", "a"));
    let why = "a pulse is pulse <ms> with 50 to 600000 ms";
    assert_eq!(
        bench.said(),
        [reply("a", &format!(r#""ok":false,"error":"{why}""#))]
    );
    assert!(bench.records.is_empty());
    assert_eq!(bench.device.counters().rejected, 2);
}

#[test]
fn an_id_is_at_most_36_bytes() {
    let mut bench = tree();
    let longest = "0123456789abcdef0123456789abcdef0123";
    bench.command("switch/0/set", &order("off", longest));
    assert_eq!(bench.said()[0], done(longest, "off"));
    bench.command("switch/0/set", &order("on", &format!("{longest}4")));
    assert_eq!(bench.said(), [""; 0]);
    assert_eq!(bench.pin, Some(false));
}

#[test]
fn many_in_one_piece_are_executed_and_answered_in_their_order() {
    let mut bench = tree();
    let topic = "monster/a1b2c3/switch/0/set";
    let mut bytes = Vec::new();
    for n in 0..100u16 {
        let payload = order("toggle", &format!("n{n}"));
        bytes.extend(message(topic, payload.as_bytes(), Some(n + 1), false));
    }
    bench.send(&bytes);
    assert_eq!(bench.levels.len(), 100);
    let replies: Vec<String> = bench
        .said()
        .into_iter()
        .filter(|line| line.contains("/reply "))
        .collect();
    assert_eq!(replies.len(), 100);
    for (n, line) in replies.iter().enumerate() {
        assert_eq!(
            *line,
            done(&format!("n{n}"), if n % 2 == 0 { "off" } else { "on" })
        );
    }
}

#[test]
fn a_restart_with_an_id_is_answered_before_and_not_repeated_after() {
    let mut bench = tree();
    bench.command("sys/set", &order("restart", "r"));
    assert_eq!(
        bench.said(),
        [done("r", "on"), "monster/a1b2c3/status offline".to_owned()]
    );
    assert_eq!(bench.ended, Some(Output::Restart(ResetReason::Command)));
    let mut after = bench.power_cut(TREE);
    after.connect();
    after.forget();
    after.command("sys/set", &order("restart", "r"));
    assert_eq!(after.said(), [done("r", "on")]);
    assert_eq!(after.ended, None);
}

#[test]
fn with_a_kept_session_a_command_sent_while_away_is_executed_once() {
    let kept = [("classic.enabled", "false"), ("mqtt.session", "kept")];
    let mut bench = Bench::online(&kept);
    bench.cut();
    bench.wait_for_attempt();
    bench.open();
    assert!(!bench.take_connect().clean_session);
    bench.forget();
    bench.connack(ConnectReturnCode::Success, true);
    // The broker has the subscriptions, and does not wait for new ones.
    let payload = order("toggle", "k");
    bench.command("switch/0/set", &payload);
    let subscribe = bench.take_subscribe();
    bench.suback(&subscribe);
    bench.command("switch/0/set", &payload);
    assert_eq!(bench.levels, [false]);
    let replies = bench
        .said()
        .iter()
        .filter(|it| **it == done("k", "off"))
        .count();
    assert_eq!(replies, 2);
}

#[test]
fn a_slow_store_does_not_keep_connack_from_being_read() {
    let mut bench = tree();
    bench.store = Store::Hangs;
    bench.command("switch/0/set", &order("toggle", "a"));
    bench.cut();
    bench.wait_for_attempt();
    bench.open();
    bench.connack(ConnectReturnCode::Success, false);
    let subscribe = bench.take_subscribe();
    // It is read once the store is given up, 5 s after it was asked.
    bench.suback(&subscribe);
    bench.pass(5_000);
    assert!(bench.device.is_online());
}

#[test]
fn suback_may_stand_behind_commands_that_take_long_to_store() {
    let kept = [("classic.enabled", "false"), ("mqtt.session", "kept")];
    let mut bench = Bench::online(&kept);
    bench.cut();
    bench.wait_for_attempt();
    bench.open();
    bench.connack(ConnectReturnCode::Success, true);
    bench.store = Store::Writes;
    for n in 0..5 {
        bench.command("switch/0/set", &order("toggle", &format!("n{n}")));
    }
    let subscribe = bench.take_subscribe();
    bench.suback(&subscribe);
    for n in 0..5 {
        bench.pass(4_000);
        bench.handle(Input::Saved(16 + n));
    }
    assert!(bench.device.is_online());
    assert_eq!(bench.records.len(), 5);
}

#[test]
fn a_suback_that_does_not_come_is_not_waited_for_longer_because_of_commands() {
    let kept = [("classic.enabled", "false"), ("mqtt.session", "kept")];
    let mut bench = Bench::online(&kept);
    bench.cut();
    bench.wait_for_attempt();
    bench.open();
    bench.connack(ConnectReturnCode::Success, true);
    for n in 0..4 {
        bench.pass(1_000);
        bench.command("switch/0/set", &order("toggle", &format!("n{n}")));
    }
    bench.pass(999);
    assert!(bench.open);
    bench.pass(1);
    assert!(!bench.open);
}
