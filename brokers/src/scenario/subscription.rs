//! What a subscription gets, and what it does not.

use umqtt::{Property, Publish, Qos, ReasonCode, RetainHandling, Subscription};

use crate::World;
use crate::peer::{Outcome, expect};

/// A message that the publisher knows to have arrived.
fn sure<'a>(topic: &'a str, payload: &'a [u8]) -> Publish<'a> {
    Publish::new(topic, payload).qos(Qos::AtLeastOnce)
}

pub fn wildcards_match_what_the_standard_says(world: &mut World<'_>) -> Outcome {
    let words = ["d", "d/e", "d/e/f", "a/x", "a/b/x", "x", "a/x/y"];
    for (place, (filter, matching)) in [
        ("+/x", &["a/x"][..]),
        ("d/#", &["d", "d/e", "d/e/f"]),
        ("+", &["d", "x"]),
        ("+/+/+", &["d/e/f", "a/b/x", "a/x/y"]),
        ("a/+/#", &["a/x", "a/b/x", "a/x/y"]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = world.client(&format!("client{place}"))?;
        let end = world.topic(&format!("the/{place}/last/end"));
        client.subscribe(&world.topic(filter), Qos::AtLeastOnce)?;
        client.subscribe(&end, Qos::AtLeastOnce)?;
        for word in words {
            client.publish(&sure(&world.topic(word), word.as_bytes()))?;
        }
        client.publish(&sure(&end, b"end"))?;
        let mut heard = client.until("end")?;
        // Which of two subscriptions is served first, no server promises.
        while heard.len() < matching.len() {
            heard.push(client.next()?.text());
        }
        heard.sort();
        let mut wanted = matching.to_vec();
        wanted.sort_unstable();
        expect(&format!("what {filter} matches"), heard, wanted)?;
        client.leave()?;
    }
    Ok(())
}

pub fn a_wildcard_at_the_front_does_not_match_topics_that_begin_with_a_dollar_sign(
    world: &mut World<'_>,
) -> Outcome {
    let mut client = world.client("client")?;
    let word = world.name("word");
    client.subscribe(&format!("+/{word}"), Qos::AtLeastOnce)?;
    // A broker may keep such topics for itself; then it refuses this, or throws it away.
    let _ = client.publish(&Publish::new(&format!("$other/{word}"), b"dollar"));
    if !client.driver().is_connected() {
        return Ok(());
    }
    client.publish(&sure(&format!("plain/{word}"), b"end"))?;
    expect("what came", client.until("end")?, [""; 0])
}

pub fn of_overlapping_subscriptions_the_highest_qos_counts(world: &mut World<'_>) -> Outcome {
    let mut client = world.client("client")?;
    client.subscribe(&world.topic("o/#"), Qos::AtMostOnce)?;
    client.subscribe(&world.topic("o/+"), Qos::AtLeastOnce)?;
    client.subscribe(&world.topic("end"), Qos::AtLeastOnce)?;
    client.publish(&sure(&world.topic("o/x"), b"x"))?;
    client.publish(&sure(&world.topic("end"), b"end"))?;
    // Once for all subscriptions, or once for each [MQTT-3.3.4-2, MQTT-3.3.5-1].
    let mut highest = None;
    loop {
        let heard = client.next()?;
        if heard.text() == "end" {
            break;
        }
        highest = highest.max(Some(heard.qos));
    }
    expect("the highest QoS", highest, Some(Qos::AtLeastOnce))
}

pub fn after_unsubscribe_nothing_comes(world: &mut World<'_>) -> Outcome {
    let mut client = world.client("client")?;
    let (topic, end) = (world.topic("u"), world.topic("end"));
    client.subscribe(&topic, Qos::AtLeastOnce)?;
    client.subscribe(&end, Qos::AtLeastOnce)?;
    client.publish(&sure(&topic, b"before"))?;
    expect("before", client.next()?.text(), "before")?;
    client.unsubscribe(&topic)?;
    client.publish(&sure(&topic, b"after"))?;
    client.publish(&sure(&end, b"end"))?;
    expect("after", client.until("end")?, [""; 0])
}

pub fn unsubscribing_from_what_was_not_subscribed_is_told(world: &mut World<'_>) -> Outcome {
    let mut client = world.client("client")?;
    let answer = client.unsubscribe(&world.topic("never"))?;
    expect(
        "the answer",
        answer,
        Some(ReasonCode::NO_SUBSCRIPTION_EXISTED),
    )
}

pub fn subscription_options_and_identifiers_do_what_they_say(world: &mut World<'_>) -> Outcome {
    let topic = world.topic("options");
    let mut other = world.client("other")?;
    other.publish(&sure(&topic, b"kept").retained())?;
    let mut client = world.client("client")?;
    let quiet = Subscription {
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
        ..Subscription::new(&topic, Qos::AtLeastOnce)
    };
    client.subscribe_with(quiet, &[Property::SubscriptionIdentifier(77)])?;
    client.publish(&sure(&topic, b"own"))?;
    other.publish(&sure(&topic, b"theirs").retained())?;
    let heard = client.next()?;
    expect(
        "what came",
        (&*heard.text(), heard.retain),
        ("theirs", true),
    )?;
    expect(
        "its properties",
        heard.properties,
        ["SubscriptionIdentifier(77)"],
    )
}

pub fn a_shared_subscription_shares(world: &mut World<'_>) -> Outcome {
    const COUNT: usize = 20;
    let topic = world.topic("work");
    let filter = format!("$share/{}/{topic}", world.name("group"));
    let (mut one, mut two) = (world.client("one")?, world.client("two")?);
    for member in [&mut one, &mut two] {
        member.subscribe(&filter, Qos::AtLeastOnce)?;
        member.subscribe(&world.topic("end"), Qos::AtLeastOnce)?;
    }
    let mut publisher = world.client("publisher")?;
    for number in 0..COUNT {
        publisher.publish(&sure(&topic, number.to_string().as_bytes()))?;
    }
    publisher.publish(&sure(&world.topic("end"), b"end"))?;
    let shares = [one.until("end")?, two.until("end")?];
    expect("both get some", shares.iter().any(Vec::is_empty), false)?;
    let mut all: Vec<usize> = shares
        .concat()
        .iter()
        .filter_map(|it| it.parse().ok())
        .collect();
    all.sort_unstable();
    expect("each comes once", all, Vec::from_iter(0..COUNT))
}
