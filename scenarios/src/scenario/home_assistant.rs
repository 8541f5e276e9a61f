//! Home Assistant, as it is heard on the broker: what it is told, and when.

use std::time::Duration;

use serde_json::{Value, json};

use crate::observer::Observer;
use crate::publisher::Publish;
use crate::world::{SOON, World, observe, status, tree};

/// Where Home Assistant says that it is there.
const BIRTH: &str = "homeassistant/status";
/// How long the device may take to tell it everything then: 5 s, and the way there.
const TOLD_WITHIN: Duration = Duration::from_secs(7);

fn config() -> String {
    format!("homeassistant/device/{}/config", World::ID)
}

pub fn home_assistant_is_told_what_the_device_is(world: &World<'_>) {
    let broker = world.broker();
    let mut observer = Observer::new(&broker, &[&config(), &status()]);
    let options = world.options(&broker.url()).set("climate.kind", "none");
    let mut device = world.started_with(options);
    let message = observer.next(&config(), SOON);
    assert_eq!((message.qos, message.retained), (1, true));
    let told = message.json();
    assert_eq!(told["dev"]["name"], format!("Monster-{}", World::ID));
    assert_eq!(told["avty_t"], status());
    assert!(told["o"]["name"].is_string());
    let parts = told["cmps"].as_object().expect("there are components");
    let switch = &parts["switch"];
    assert_eq!(switch["cmd_t"], tree("/switch/0/set"));
    assert_eq!(switch["stat_t"], tree("/switch/0"));
    assert_eq!(parts["button"]["p"], "event");
    assert_eq!(parts["restart"]["cmd_t"], tree("/sys/set"));
    // What the settings switch off disappears, instead of staying for ever.
    assert_eq!(parts["temperature"], json!({"p": "sensor"}));
    assert_eq!(parts["humidity"], json!({"p": "sensor"}));
    // It says the same after its power was away, and what one who comes later hears is that.
    device.cut_power();
    device.power_on();
    assert_eq!(observer.next(&config(), SOON).json(), told);
    let kept: Value = Observer::new(&broker, &[&config()])
        .next(&config(), SOON)
        .json();
    assert_eq!(kept, told);
}

pub fn home_assistant_is_told_everything_again_when_it_comes_back(world: &World<'_>) {
    let broker = world.broker();
    let options = world.options(&broker.url());
    let mut before = Observer::new(&broker, &[&config(), &tree("/diag")]);
    let _device = world.started_with(options);
    before.next(&config(), SOON);
    before.next(&tree("/diag"), SOON);
    // Retained messages come first; what is published after this is heard behind them.
    let mut observer = observe(&broker);
    for topic in [status(), tree("/switch/0")] {
        observer.next(&topic, SOON);
    }
    Publish::new(BIRTH, "online").qos(1).to(&broker);
    let again = before.next(&config(), TOLD_WITHIN);
    assert!(again.retained);
    assert_eq!(observer.next(&status(), TOLD_WITHIN).text(), "online");
    assert_eq!(observer.next(&tree("/switch/0"), TOLD_WITHIN).text(), "on");
    before.next(&tree("/diag"), TOLD_WITHIN);
}

pub fn home_assistant_forgets_the_device_when_it_is_switched_off(world: &World<'_>) {
    let broker = world.broker();
    let mut observer = Observer::new(&broker, &["homeassistant/#", &tree("/diag")]);
    // It was known before.
    let known = r#"{"o":{"name":"Monster"}}"#;
    Publish::new(config(), known).qos(1).retained().to(&broker);
    assert_eq!(observer.next(&config(), SOON).text(), known);
    let options = world
        .options(&broker.url())
        .set("homeassistant.enabled", "false");
    let _device = world.started_with(options);
    assert_eq!(observer.next(&config(), SOON).text(), "");
    let mut late = Observer::new(&broker, &["homeassistant/#", &tree("/diag")]);
    late.next(&tree("/diag"), SOON);
    late.expect_none(&config(), Duration::ZERO, "announcement", |_| true);
    // Nor is it spoken to again.
    Publish::new(BIRTH, "online").qos(1).to(&broker);
    observer.next(BIRTH, SOON);
    observer.expect_none(&config(), TOLD_WITHIN, "announcement", |_| true);
}
