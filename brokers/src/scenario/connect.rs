//! CONNECT and what follows it.

use std::time::{Duration, Instant};

use umqtt::{ClientError, Connect, Credentials, Error, Publish, Qos, ReasonCode, Version};

use crate::World;
use crate::peer::{Failed, Outcome, Peer, expect};
use crate::server::{PASSWORD, USER};

pub fn a_client_with_will_user_password_and_keep_alive_is_let_in(world: &mut World<'_>) -> Outcome {
    let (name, topic) = (world.name("all"), world.topic("will"));
    let mut client = world.connect(&Connect {
        keep_alive: 30,
        will: Some(
            Publish::new(&topic, b"gone")
                .qos(Qos::AtLeastOnce)
                .retained(),
        ),
        credentials: Some(Credentials {
            user_name: USER,
            password: Some(PASSWORD.as_bytes()),
        }),
        ..world.as_client(&name)
    })?;
    client.ping()?;
    client.leave()
}

pub fn a_wrong_password_is_refused(world: &mut World<'_>) -> Outcome {
    let name = world.name("wrong");
    let reason = refusal(
        world,
        &Connect {
            credentials: Some(Credentials {
                user_name: USER,
                password: Some(b"wrong"),
            }),
            ..world.as_client(&name)
        },
    )?;
    let allowed = [
        ReasonCode::BAD_USER_NAME_OR_PASSWORD,
        ReasonCode::NOT_AUTHORIZED,
    ];
    expect("the reason is one of two", allowed.contains(&reason), true)
}

pub fn a_client_without_an_identifier_is_let_in_with_a_clean_session(
    world: &mut World<'_>,
) -> Outcome {
    world.connect(&world.as_client(""))?.leave()
}

pub fn a_client_without_an_identifier_cannot_have_a_kept_session(world: &mut World<'_>) -> Outcome {
    let connect = Connect {
        clean_session: false,
        ..world.as_client("")
    };
    let reason = refusal(world, &connect)?;
    expect(
        "the reason",
        reason,
        ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
    )
}

pub fn a_client_without_an_identifier_is_told_the_one_it_gets(world: &mut World<'_>) -> Outcome {
    let client = world.connect(&world.as_client(""))?;
    let is_told = |property: &String| property.starts_with("AssignedClientIdentifier(");
    expect("it is told", client.connack.iter().any(is_told), true)
}

pub fn a_second_connection_of_a_client_takes_over_from_the_first(world: &mut World<'_>) -> Outcome {
    let mut first = world.client("same")?;
    let mut second = world.client("same")?;
    let end = first.end()?;
    match (world.version, &end) {
        (Version::V5, ClientError::Session(Error::Disconnected(reason))) => {
            expect("the reason", *reason, ReasonCode::SESSION_TAKEN_OVER)?;
        }
        // The server should say it, and need not (section 3.1.4).
        (Version::V5, other) => return Err(Failed(format!("no reason is given: {other}"))),
        (Version::V3_1_1, _) => {}
    }
    second.ping()
}

pub fn a_client_that_pings_stays(world: &mut World<'_>) -> Outcome {
    let name = world.name("awake");
    let mut client = world.connect(&Connect {
        keep_alive: 1,
        ..world.as_client(&name)
    })?;
    client.idle(Duration::from_millis(2500))?;
    client.ping()
}

pub fn a_client_that_falls_silent_is_given_up_after_its_keep_alive(
    world: &mut World<'_>,
) -> Outcome {
    let (name, topic) = (world.name("silent"), world.topic("silent"));
    let mut watcher = world.client("watcher")?;
    watcher.subscribe(&topic, Qos::AtLeastOnce)?;
    let started = Instant::now();
    let silent = world.connect(&Connect {
        keep_alive: 1,
        will: Some(Publish::new(&topic, b"gone").qos(Qos::AtLeastOnce)),
        ..world.as_client(&name)
    })?;
    // Nobody asks it to do anything, so it does not ping.
    watcher.until("gone")?;
    drop(silent);
    let is_patient = started.elapsed() >= Duration::from_millis(1000);
    expect("it is given a second", is_patient, true)
}

/// Why the broker does not let a client in.
fn refusal(world: &World<'_>, connect: &Connect<'_>) -> Outcome<ReasonCode> {
    let mut peer = Peer::new();
    let client = peer.driver();
    client.begin(world.transport()?, connect)?;
    match client.receive() {
        Err(ClientError::Session(Error::Refused(reason))) => Ok(reason),
        Err(other) => Err(other.into()),
        Ok(_) => Err(Failed("it is let in".into())),
    }
}
