//! The original's verbs: connect, subscribe, publish, receive, disconnect.
//!
//! `cargo run -p umqtt --features std --example simple -- localhost:1883`

use std::cell::RefCell;
use std::error::Error;

use umqtt::Qos;

#[allow(dead_code, reason = "the tests call `run` alone")]
fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1);
    println!("{}", run(server.as_deref().unwrap_or("localhost:1883"))?);
    Ok(())
}

/// Returns what was received.
pub fn run(server: &str) -> Result<String, Box<dyn Error>> {
    let (host, port) = server.rsplit_once(':').ok_or("wanted: host:port")?;
    let topic = "umqtt/example/simple";
    let received = RefCell::new(String::new());
    let mut sub_cb = |topic: &str, msg: &[u8]| {
        *received.borrow_mut() = format!("{topic}: {}", String::from_utf8_lossy(msg));
    };

    let (mut receive, mut send) = ([0; 256], [0; 256]);
    let mut client =
        umqtt::std::mqtt_client("umqtt-simple", host, port.parse()?, &mut receive, &mut send)
            .keepalive(60);
    client.set_callback(&mut sub_cb);
    client.connect(true)?;
    client.subscribe(topic, Qos::AtLeastOnce)?;
    client.publish(topic, b"hello", false, Qos::AtLeastOnce)?;
    while received.borrow().is_empty() {
        client.wait_msg()?;
    }
    client.disconnect()?;
    Ok(received.take())
}
