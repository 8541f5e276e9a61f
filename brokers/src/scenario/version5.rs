//! What MQTT 5 has more.

use std::thread;
use std::time::Duration;

use umqtt::{ClientError, Connect, Event, Property, PropertyList, Publish, PublishError, Qos};

use crate::World;
use crate::peer::{Failed, Outcome, expect};

pub fn a_request_is_answered_by_its_response_topic_and_correlation_data(
    world: &mut World<'_>,
) -> Outcome {
    let (requests, answers) = (world.topic("requests"), world.topic("answers/17"));
    let (mut asker, mut answerer) = (world.client("asker")?, world.client("answerer")?);
    asker.subscribe(&answers, Qos::AtLeastOnce)?;
    answerer.subscribe(&requests, Qos::AtLeastOnce)?;
    let properties = [
        Property::ResponseTopic(&answers),
        Property::CorrelationData(b"\x00\xff17"),
    ];
    asker.publish(&Publish::new(&requests, b"?").properties(&properties))?;
    // The answer goes where the request says, with what it says.
    let (topic, data) = match answerer.driver().receive()? {
        Event::Message(message) => {
            let properties = message.properties;
            let topic = properties.iter().find_map(|property| match property {
                Property::ResponseTopic(topic) => Some(topic.to_owned()),
                _ => None,
            });
            let data = properties.iter().find_map(|property| match property {
                Property::CorrelationData(data) => Some(data.to_owned()),
                _ => None,
            });
            (topic.unwrap_or_default(), data.unwrap_or_default())
        }
        other => return Err(Failed(format!("instead of the request: {other:?}"))),
    };
    expect("the response topic", &*topic, &*answers)?;
    let properties = [Property::CorrelationData(&data)];
    answerer.publish(&Publish::new(&topic, b"!").properties(&properties))?;
    let heard = asker.next()?;
    expect("the answer", heard.text(), "!")?;
    expect(
        "its properties",
        heard.properties,
        ["CorrelationData([0, 255, 49, 55])"],
    )
}

pub fn a_message_keeps_its_properties(world: &mut World<'_>) -> Outcome {
    let mut client = world.client("client")?;
    let topic = world.topic("properties");
    client.subscribe(&topic, Qos::ExactlyOnce)?;
    let properties = [
        Property::PayloadFormatIndicator(true),
        Property::ContentType("text/plain"),
        Property::ResponseTopic("answers"),
        Property::CorrelationData(b""),
        Property::UserProperty("n", "1"),
        Property::UserProperty("n", "2"),
        Property::UserProperty("", "é"),
    ];
    let mut wanted: Vec<String> = properties.iter().map(|it| format!("{it:?}")).collect();
    // The order is free, but for those of the user.
    wanted.sort_by_key(|property| !property.starts_with("User"));
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let message = Publish::new(&topic, "水".as_bytes()).qos(qos);
        client.publish(&message.properties(&properties))?;
        let mut seen = client.next()?.properties;
        let user = |property: &String| property.starts_with("User");
        let (mut rest, mut users): (Vec<_>, Vec<_>) = seen.drain(..).partition(|it| !user(it));
        rest.sort();
        users.extend(rest);
        let mut wanted: Vec<_> = wanted.clone();
        wanted[3..].sort();
        expect("the properties", users, wanted)?;
    }
    Ok(())
}

pub fn a_message_that_has_expired_does_not_come(world: &mut World<'_>) -> Outcome {
    let (name, topic) = (world.name("away"), world.topic("expiring"));
    let connect = Connect {
        clean_session: false,
        properties: PropertyList::new(&[Property::SessionExpiryInterval(60)]),
        ..world.as_client(&name)
    };
    let mut client = world.connect(&connect)?;
    client.subscribe(&topic, Qos::AtLeastOnce)?;
    client.leave()?;
    let mut other = world.client("other")?;
    for (payload, seconds) in [("short", 1), ("long", 60)] {
        let properties = [Property::MessageExpiryInterval(seconds)];
        let message = Publish::new(&topic, payload.as_bytes())
            .qos(Qos::AtLeastOnce)
            .properties(&properties);
        other.publish(&message)?;
    }
    thread::sleep(Duration::from_secs(3));
    client.connect(world, &connect)?;
    let heard = client.next()?;
    expect("what came", heard.text(), "long")?;
    let left = heard.properties.first().and_then(|property| {
        let digits = property.strip_prefix("MessageExpiryInterval(")?;
        digits.strip_suffix(')')?.parse::<u32>().ok()
    });
    let is_less = left.is_some_and(|left| (30..=58).contains(&left));
    expect(
        "what is left of 60 s is less by the 3 s it waited",
        is_less,
        true,
    )
}

pub fn a_topic_alias_stands_for_its_topic(world: &mut World<'_>) -> Outcome {
    let mut client = world.client("client")?;
    let topic = world.topic("a/long/name");
    client.subscribe(&topic, Qos::AtLeastOnce)?;
    let alias = [Property::TopicAlias(1)];
    client.publish(&Publish::new(&topic, b"one").properties(&alias))?;
    client.publish(&Publish::new("", b"two").properties(&alias))?;
    for payload in ["one", "two"] {
        let heard = client.next()?;
        expect(
            "the message",
            (&*heard.topic, &*heard.text()),
            (&*topic, payload),
        )?;
    }
    Ok(())
}

pub fn the_receive_maximum_of_either_side_is_kept(world: &mut World<'_>) -> Outcome {
    let (name, topic) = (world.name("slow"), world.topic("window"));
    let mut slow = world.connect(&Connect {
        properties: PropertyList::new(&[Property::ReceiveMaximum(2)]),
        ..world.as_client(&name)
    })?;
    slow.subscribe(&topic, Qos::ExactlyOnce)?;
    let mut publisher = world.client("publisher")?;
    // More than any broker takes at once: the client waits where it must.
    const COUNT: usize = 200;
    let mut acknowledged = 0;
    for number in 0..COUNT {
        let payload = number.to_string();
        let message = Publish::new(&topic, payload.as_bytes()).qos(Qos::ExactlyOnce);
        loop {
            match publisher.driver().queue(&message) {
                Ok(_) => break,
                Err(ClientError::Publish(PublishError::Full)) => {
                    let event = publisher.driver().receive()?;
                    acknowledged += matches!(event, Event::Published(..)) as usize;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    while acknowledged < COUNT {
        let event = publisher.driver().receive()?;
        acknowledged += matches!(event, Event::Published(..)) as usize;
    }
    // With a third one that was not acknowledged, the session would have ended the connection.
    for number in 0..COUNT {
        expect("the message", slow.next()?.text(), number.to_string())?;
    }
    slow.ping()
}

pub fn a_message_larger_than_the_client_takes_does_not_come(world: &mut World<'_>) -> Outcome {
    let (name, topic) = (world.name("small"), world.topic("large"));
    let mut client = world.connect(&Connect {
        properties: PropertyList::new(&[Property::MaximumPacketSize(100)]),
        ..world.as_client(&name)
    })?;
    client.subscribe(&topic, Qos::AtLeastOnce)?;
    let mut other = world.client("other")?;
    let large = "x".repeat(200);
    for payload in [&large, "end"] {
        other.publish(&Publish::new(&topic, payload.as_bytes()).qos(Qos::AtLeastOnce))?;
    }
    expect("what came", client.until("end")?, [""; 0])
}
