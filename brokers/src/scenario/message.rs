//! Messages of every quality of service.

use umqtt::{Chunk, Connect, Event, Oversize, Publish, Qos};

use crate::World;
use crate::peer::{Failed, Outcome, expect};

pub fn every_qos_is_granted(world: &mut World<'_>) -> Outcome {
    let mut client = world.client("client")?;
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
        client.subscribe(&world.topic("any"), qos)?;
    }
    Ok(())
}

pub fn a_message_arrives_with_the_lower_qos_of_publisher_and_subscriber(
    world: &mut World<'_>,
) -> Outcome {
    let mut publisher = world.client("publisher")?;
    for subscribed in world.every_qos() {
        let mut subscriber = world.client("subscriber")?;
        let topic = world.topic(&format!("{subscribed:?}"));
        subscriber.subscribe(&topic, subscribed)?;
        for qos in world.every_qos() {
            publisher.publish(&Publish::new(&topic, b"x").qos(qos))?;
            let heard = subscriber.next()?;
            expect("the topic", &*heard.topic, &*topic)?;
            expect("the payload", heard.text(), "x")?;
            expect("the QoS", heard.qos, qos.min(subscribed))?;
            expect("RETAIN", heard.retain, false)?;
        }
        subscriber.leave()?;
    }
    publisher.leave()
}

pub fn many_messages_in_flight_arrive_once_and_in_order(world: &mut World<'_>) -> Outcome {
    // What a broker takes at once in MQTT 3.1.1, it does not say: 16 is less than any of them.
    const IN_FLIGHT: usize = 16;
    let mut subscriber = world.client("subscriber")?;
    let mut publisher = world.client("publisher")?;
    let numbers: Vec<String> = (0..6 * IN_FLIGHT)
        .map(|number| number.to_string())
        .collect();
    for qos in world.every_qos() {
        let topic = world.topic(&format!("{qos:?}"));
        subscriber.subscribe(&topic, qos)?;
        for some in numbers.chunks(IN_FLIGHT) {
            let driver = publisher.driver();
            for number in some {
                driver.queue(&Publish::new(&topic, number.as_bytes()).qos(qos))?;
            }
            driver.flush()?;
            while !driver.session().is_idle() {
                driver.receive()?;
            }
        }
        publisher.publish(&Publish::new(&topic, b"end").qos(qos))?;
        expect("the messages", subscriber.until("end")?, numbers.clone())?;
    }
    Ok(())
}

pub fn a_megabyte_goes_there_and_back(world: &mut World<'_>) -> Outcome {
    const LENGTH: usize = 1_000_000;
    let payload: Vec<u8> = (0..LENGTH).map(|place| (place * 31 / 8) as u8).collect();
    let name = world.name("receiver");
    let mut receiver = world.connect(&Connect {
        oversize: Oversize::Stream,
        ..world.as_client(&name)
    })?;
    let mut sender = world.client("sender")?;
    let topic = world.topic("big");
    receiver.subscribe(&topic, world.highest)?;
    for qos in world.every_qos() {
        let driver = sender.driver();
        let message = Publish::new(&topic, b"").qos(qos);
        let identifier = driver.publish_stream(&message, LENGTH)?;
        driver.stream_from(&mut &payload[..])?;
        if let Some(identifier) = identifier {
            driver.settle(identifier, |_| {})?;
        }
        let mut heard = Vec::new();
        while heard.len() < LENGTH {
            match receiver.driver().receive()? {
                Event::Chunk(Chunk {
                    message, offset, ..
                }) if offset == heard.len() => {
                    heard.extend_from_slice(message.payload);
                }
                Event::Pong => {}
                other => return Err(Failed(format!("instead of a chunk: {other:?}"))),
            }
        }
        expect("it is the same", heard == payload, true)?;
    }
    Ok(())
}

pub fn an_empty_payload_arrives(world: &mut World<'_>) -> Outcome {
    let mut client = world.client("client")?;
    let topic = world.topic("empty");
    client.subscribe(&topic, world.highest)?;
    for qos in world.every_qos() {
        client.publish(&Publish::new(&topic, b"").qos(qos))?;
        expect("the payload", client.next()?.payload, b"")?;
    }
    Ok(())
}

pub fn a_retained_message_is_kept_replaced_and_cleared(world: &mut World<'_>) -> Outcome {
    let topic = world.topic("retained");
    let retained = |payload| {
        Publish::new(&topic, payload)
            .qos(Qos::AtLeastOnce)
            .retained()
    };
    let mut publisher = world.client("publisher")?;
    let mut live = world.client("live")?;
    live.subscribe(&topic, Qos::AtLeastOnce)?;
    for payload in ["one", "two"] {
        publisher.publish(&retained(payload.as_bytes()))?;
        let heard = live.next()?;
        expect(
            "a live message",
            (&*heard.text(), heard.retain),
            (payload, false),
        )?;
    }
    let mut late = world.client("late")?;
    for _ in 0..2 {
        // Also with a subscription that was there before [MQTT-3.8.4-3].
        late.subscribe(&topic, Qos::AtLeastOnce)?;
        let heard = late.next()?;
        expect(
            "a kept message",
            (&*heard.text(), heard.retain),
            ("two", true),
        )?;
    }
    publisher.publish(&retained(b""))?;
    expect("what clears it", live.next()?.text(), "")?;
    let mut last = world.client("last")?;
    last.subscribe(&topic, Qos::AtLeastOnce)?;
    publisher.publish(&Publish::new(&topic, b"end").qos(Qos::AtLeastOnce))?;
    expect("what was kept", last.until("end")?, [""; 0])
}

pub fn a_topic_may_have_dots_blanks_and_empty_levels(world: &mut World<'_>) -> Outcome {
    let mut failed = Vec::new();
    for (place, word) in ["a.b", "a b", "/c", "é/水", "d/", "a*b>c"]
        .into_iter()
        .enumerate()
    {
        if let Err(Failed(why)) = echo(world, &format!("client{place}"), word) {
            failed.push(format!("{word:?}: {why}"));
        }
    }
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failed(failed.join("; "))),
    }
}

/// A message to a topic of this name comes back, with this name.
fn echo(world: &World<'_>, client: &str, word: &str) -> Outcome {
    let topic = world.topic(word);
    let mut client = world.client(client)?;
    client.subscribe(&world.topic("#"), Qos::AtLeastOnce)?;
    client.publish(&Publish::new(&topic, b"x").qos(Qos::AtLeastOnce))?;
    expect("the topic", client.next()?.topic, topic)?;
    client.leave()
}
