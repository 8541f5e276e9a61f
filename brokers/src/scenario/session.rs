//! What is remembered between connections.

use std::thread;
use std::time::Duration;

use umqtt::{Connect, Event, Property, PropertyList, Publish, Qos, ReasonCode};

use crate::World;
use crate::peer::{Failed, Outcome, Peer, expect};

/// A client whose session is kept.
fn kept<'a>(world: &World<'_>, name: &'a str) -> Connect<'a> {
    Connect {
        clean_session: false,
        ..world.as_client(name)
    }
}

pub fn a_kept_session_gets_what_came_while_it_was_away(world: &mut World<'_>) -> Outcome {
    let (name, topic) = (world.name("kept"), world.topic("kept"));
    let connect = kept(world, &name);
    let mut client = world.connect(&connect)?;
    expect("a session at first", client.session_present, false)?;
    client.subscribe(&topic, world.highest)?;
    client.leave()?;
    let mut other = world.client("other")?;
    let payloads: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    for (payload, qos) in payloads
        .iter()
        .zip([Qos::AtLeastOnce, world.highest].into_iter().cycle())
    {
        other.publish(&Publish::new(&topic, payload.as_bytes()).qos(qos))?;
    }
    client.connect(world, &connect)?;
    expect("a session later", client.session_present, true)?;
    other.publish(&Publish::new(&topic, b"end").qos(world.highest))?;
    expect("what came meanwhile", client.until("end")?, payloads)?;
    end(world, &mut client, &name)
}

pub fn a_session_without_subscriptions_is_kept_too(world: &mut World<'_>) -> Outcome {
    let name = world.name("silent");
    let connect = kept(world, &name);
    let mut client = world.connect(&connect)?;
    client.leave()?;
    client.connect(world, &connect)?;
    expect("a session", client.session_present, true)?;
    end(world, &mut client, &name)
}

pub fn a_clean_session_forgets(world: &mut World<'_>) -> Outcome {
    let (name, topic) = (world.name("clean"), world.topic("clean"));
    let connect = kept(world, &name);
    let mut client = world.connect(&connect)?;
    client.subscribe(&topic, Qos::AtLeastOnce)?;
    client.leave()?;
    let mut other = world.client("other")?;
    other.publish(&Publish::new(&topic, b"lost").qos(Qos::AtLeastOnce))?;
    client.connect(world, &world.as_client(&name))?;
    expect("a session, though clean", client.session_present, false)?;
    client.leave()?;
    client.connect(world, &connect)?;
    expect("a session after a clean one", client.session_present, false)?;
    other.publish(&Publish::new(&topic, b"nobody listens").qos(Qos::AtLeastOnce))?;
    let end_topic = world.topic("end");
    client.subscribe(&end_topic, Qos::AtLeastOnce)?;
    other.publish(&Publish::new(&end_topic, b"end").qos(Qos::AtLeastOnce))?;
    expect("what came", client.until("end")?, [""; 0])?;
    end(world, &mut client, &name)
}

pub fn what_was_not_acknowledged_comes_again_with_dup(world: &mut World<'_>) -> Outcome {
    let (name, topic) = (world.name("again"), world.topic("again"));
    let connect = kept(world, &name);
    let mut client = world.connect(&connect)?;
    client.subscribe(&topic, Qos::AtLeastOnce)?;
    let mut other = world.client("other")?;
    other.publish(&Publish::new(&topic, b"x").qos(Qos::AtLeastOnce))?;
    // Whoever does not ask for more has not taken this one.
    match client.driver().receive()? {
        Event::Message(message) => expect("DUP at first", message.dup, false)?,
        other => return Err(Failed(format!("instead of the message: {other:?}"))),
    }
    client.connect(world, &connect)?;
    expect("a session", client.session_present, true)?;
    let heard = client.next()?;
    expect("the message", heard.text(), "x")?;
    expect("DUP", heard.dup, true)?;
    end(world, &mut client, &name)
}

pub fn a_session_lives_as_long_as_it_was_told_to(world: &mut World<'_>) -> Outcome {
    for (place, (at_connect, at_end, wait, is_kept)) in [
        (60, None, 0, true),
        (0, None, 0, false),
        (60, Some(0), 0, false),
        (1, None, 3, false),
    ]
    .into_iter()
    .enumerate()
    {
        let name = world.name(&format!("expiry{place}"));
        let properties = [Property::SessionExpiryInterval(at_connect)];
        let connect = Connect {
            properties: PropertyList::new(&properties),
            ..kept(world, &name)
        };
        let mut client = world.connect(&connect)?;
        client.subscribe(&world.topic("expiry"), Qos::AtLeastOnce)?;
        let last: Vec<_> = at_end
            .into_iter()
            .map(Property::SessionExpiryInterval)
            .collect();
        client.leave_with(ReasonCode::SUCCESS, &last)?;
        thread::sleep(Duration::from_secs(wait));
        client.connect(world, &connect)?;
        let what = format!("a session of {at_connect} s, {at_end:?} at the end, after {wait} s");
        expect(&what, client.session_present, is_kept)?;
        end(world, &mut client, &name)?;
    }
    Ok(())
}

/// Leaves no session behind.
fn end(world: &World<'_>, client: &mut Peer, name: &str) -> Outcome {
    client.connect(world, &world.as_client(name))?;
    client.leave()
}
