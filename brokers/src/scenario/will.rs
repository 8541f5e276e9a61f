//! The last message of a client.

use umqtt::{Connect, Property, PropertyList, Publish, Qos, ReasonCode};

use crate::World;
use crate::peer::{Outcome, Peer, expect};

/// A client with a will.
fn mortal(
    world: &World<'_>,
    name: &str,
    topic: &str,
    properties: &[Property<'_>],
) -> Outcome<Peer> {
    let will = Publish::new(topic, name.as_bytes())
        .qos(Qos::AtLeastOnce)
        .retained()
        .properties(properties);
    let client_id = world.name(name);
    world.connect(&Connect {
        will: Some(will),
        ..world.as_client(&client_id)
    })
}

fn watcher(world: &World<'_>, topic: &str) -> Outcome<Peer> {
    let mut watcher = world.client("watcher")?;
    watcher.subscribe(topic, Qos::AtLeastOnce)?;
    Ok(watcher)
}

pub fn the_will_of_a_client_whose_connection_breaks_is_published_and_retained(
    world: &mut World<'_>,
) -> Outcome {
    let topic = world.topic("will");
    let mut watcher = watcher(world, &topic)?;
    drop(mortal(world, "broken", &topic, &[])?);
    let heard = watcher.next()?;
    expect("the will", &*heard.text(), "broken")?;
    expect("its QoS", heard.qos, Qos::AtLeastOnce)?;
    let mut late = world.client("late")?;
    late.subscribe(&topic, Qos::AtLeastOnce)?;
    let heard = late.next()?;
    expect(
        "the will later",
        (&*heard.text(), heard.retain),
        ("broken", true),
    )
}

pub fn the_will_of_a_client_that_says_goodbye_is_not(world: &mut World<'_>) -> Outcome {
    let topic = world.topic("will");
    let mut watcher = watcher(world, &topic)?;
    mortal(world, "leaving", &topic, &[])?.leave()?;
    drop(mortal(world, "broken", &topic, &[])?);
    expect("before the other's", watcher.until("broken")?, [""; 0])
}

pub fn a_client_can_leave_with_its_will(world: &mut World<'_>) -> Outcome {
    let topic = world.topic("will");
    let mut watcher = watcher(world, &topic)?;
    let mut client = mortal(
        world,
        "leaving",
        &topic,
        &[Property::ContentType("text/plain")],
    )?;
    client.leave_with(ReasonCode::DISCONNECT_WITH_WILL_MESSAGE, &[])?;
    let heard = watcher.next()?;
    expect("the will", &*heard.text(), "leaving")?;
    expect(
        "its properties",
        heard.properties,
        ["ContentType(\"text/plain\")"],
    )
}

pub fn a_will_waits_for_its_delay_and_not_if_the_client_comes_back(
    world: &mut World<'_>,
) -> Outcome {
    let topic = world.topic("will");
    let mut watcher = watcher(world, &topic)?;
    let connect = |name: &str, delay| {
        let properties = [Property::WillDelayInterval(delay)];
        let will = Publish::new(&topic, name.as_bytes())
            .qos(Qos::AtLeastOnce)
            .properties(&properties);
        let client_id = world.name(name);
        world.connect(&Connect {
            will: Some(will),
            clean_session: false,
            properties: PropertyList::new(&[Property::SessionExpiryInterval(60)]),
            ..world.as_client(&client_id)
        })
    };
    drop(connect("back", 2)?);
    drop(connect("gone", 2)?);
    connect("back", 2)?.leave()?;
    drop(connect("end", 4)?);
    expect("the wills", watcher.until("end")?, ["gone"])
}
