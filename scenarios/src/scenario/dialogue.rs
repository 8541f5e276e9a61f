//! The original's dialogue, as it was recorded from MicroPython, repeated by ours.

use std::time::Duration;

use serde_json::Value;

use crate::publisher::Publish;
use crate::world::{SOON, World, after, answer, observe, tree};

/// One JSON object a line: what went in, where the pin stood after it, what came out. Where the original
/// is at fault the line says so, and what is right (`ours`).
const RECORDING: &str = include_str!("../../fixtures/dialogue.jsonl");

pub fn the_recorded_dialogue_of_the_original_is_repeated(world: &World<'_>) {
    let broker = world.broker();
    let mut observer = observe(&broker);
    // One who only counts heartbeats: the other passes over them on its way to the answers.
    let mut counter = observe(&broker);
    let _device = world.started(&broker.url());
    let mut pin = Vec::new();
    for line in RECORDING.lines() {
        let step: Value = serde_json::from_str(line).expect("the recording is JSON");
        if let Some(sent) = step["sent"].as_array() {
            pin.extend(step["pin_initial"].as_u64());
            for message in sent {
                assert_eq!(message[0], after(), "{line}");
                assert_eq!(message[1], counter.next(&after(), SOON).text(), "{line}");
            }
        } else if let Some(beats) = step["out"].as_array() {
            for beat in beats {
                let beat = beat.as_str().expect("a heartbeat is text");
                let within = Duration::from_secs(6);
                counter.expect(&after(), within, &format!("{beat:?}"), |message| {
                    let text = message.text();
                    assert!(
                        text == beat || !text.starts_with("t="),
                        "{text:?} before {beat:?}"
                    );
                    text == beat
                });
            }
        } else {
            let topic = step["in"][0].as_str().expect("a topic");
            let word = step["in"][1].as_str().expect("a word");
            let qos = step["qos"].as_u64().unwrap_or(0);
            let qos = u8::try_from(qos).expect("0, 1 or 2");
            Publish::new(topic, word).qos(qos).to(&broker);
            // A word that wants no answer is shown to have none by the next answer, which is not its own.
            let right = Right::of(&step);
            pin.extend(right.pin);
            if let Some(expected) = right.answer {
                let heard = answer(&mut observer);
                assert!(heard.starts_with(&expected), "{line}: answered {heard:?}");
            }
        }
    }
    let switch = observer.drain();
    let switch = switch.iter().filter(|m| m.topic == tree("/switch/0"));
    let mut heard: Vec<_> = switch.map(|m| u64::from(m.payload == b"on")).collect();
    heard.dedup();
    pin.dedup();
    assert_eq!(heard, pin, "where the pin stood, as `/switch/0` says it");
}

/// What is right after a step: what the original did, except where the recording says that it erred.
struct Right {
    /// Where the pin stands, if the step was one to move it.
    pin: Option<u64>,
    /// What the answer begins with.
    answer: Option<String>,
}

impl Right {
    fn of(step: &Value) -> Self {
        if step["in"][1] == "getTH" {
            // "only prints; ours answers", and what it answers depends on the weather.
            return Self {
                pin: None,
                answer: Some("th=".to_owned()),
            };
        }
        let remark = step["fault"].as_str().or(step["note"].as_str());
        match (remark, step["out"].as_str()) {
            (Some(remark), _) => {
                let (before, answer) = remark
                    .rsplit_once(", ")
                    .expect("a remark ends as in `pin 1, on-1`");
                let pin = before.chars().last().and_then(|digit| digit.to_digit(10));
                Self {
                    pin: pin.map(u64::from),
                    answer: Some(answer.to_owned()),
                }
            }
            (None, Some(out)) => Self {
                pin: step["pin"].as_u64(),
                answer: Some(out.to_owned()),
            },
            (None, None) => Self {
                pin: None,
                answer: None,
            },
        }
    }
}
