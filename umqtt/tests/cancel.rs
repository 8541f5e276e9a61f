//! What stands beside the drivers, cancelled at every await and over connections that fail at every
//! byte: `Shared`, a backlog, and the way back.

#![cfg(feature = "v3")]

mod common;

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use common::VirtualClock;
use common::broker::Broker;
use common::wire::{Conduct, Counts, Executor, SMOOTH, Wire};
use umqtt::asynch::Client;
use umqtt::{
    Backlog, BacklogPolicy, Backoff, Connect, Publish, Qos, Reconnect, Shared, Subscription,
};

const MESSAGES: u8 = 5;

/// Every other poll is pending, and one byte is the most that moves.
const ROUGH: Conduct = Conduct {
    chunk: 1,
    pends: true,
    ..SMOOTH
};

fn kept() -> Connect<'static> {
    Connect {
        clean_session: false,
        ..Connect::new("c")
    }
}

#[derive(Default)]
struct World {
    broker: Rc<RefCell<Broker>>,
    clock: VirtualClock,
    counts: Rc<Counts>,
}

impl World {
    fn wire(&self, conduct: Conduct) -> Wire {
        Wire::new(&self.broker, &self.clock, conduct, &self.counts)
    }

    /// What arrived is every message once, in order.
    #[track_caller]
    fn check(&self, how: &str) {
        let broker = self.broker.borrow();
        let payloads: Vec<_> = broker.published.iter().map(|(_, it)| it.clone()).collect();
        let expected: Vec<_> = (0..MESSAGES).map(|number| vec![number]).collect();
        assert_eq!(payloads, expected, "{how}");
    }
}

fn fill(backlog: &mut Backlog<'_>) {
    for number in 0..MESSAGES {
        let payload = [number];
        let message = Publish::new("t", &payload).qos(Qos::ExactlyOnce);
        backlog.push(&message).expect("room");
    }
}

/// The outcome of the first of two futures that ends.
async fn first_of<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    std::future::poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Pending => other.as_mut().poll(context),
        ready => ready,
    })
    .await
}

/// A task that runs the session and one that feeds it, cancelled together or cut off, and begun
/// again until all is done. Returns how often they were pending.
fn shared(first: Conduct, cancel_at: Option<usize>, how: &str) -> usize {
    let world = World::default();
    // Room for three in flight.
    let (mut receive, mut send, mut scratch) = ([0; 64], [0; 40], [0; 5]);
    let mut memory = [0; 128];
    let shared = Shared::new(&mut receive, &mut send, world.clock.clone());
    let backlog = RefCell::new(Backlog::new(&mut memory, BacklogPolicy::Reject));
    fill(&mut backlog.borrow_mut());
    let last = Cell::new(None);
    let mut executor = Executor::new(&world.clock, cancel_at);
    let mut conduct = first;
    for attempt in 1.. {
        assert!(attempt < 4, "{how}: it does not end");
        let connect = kept();
        let runner = async {
            let ended = shared.run(world.wire(conduct), &connect, &mut scratch, |_| {});
            assert!(ended.await.is_err(), "it never ends by itself");
            false
        };
        let feeder = async {
            shared.connected().await;
            let told = |_: &Publish<'_>, queued| last.set(Some(queued));
            if shared.feed(&backlog, told).await.is_err() {
                return false;
            }
            match last.get() {
                Some(Ok(Some(identifier))) => shared.settle(identifier).await.is_ok(),
                other => panic!("{how}: {other:?}"),
            }
        };
        if executor.run(first_of(runner, feeder)) == Some(true) {
            break;
        }
        conduct = ROUGH;
    }
    assert!(backlog.borrow().is_empty() && backlog.borrow().dropped() == 0);
    world.check(how);
    executor.pending
}

#[test]
fn tasks_that_share_a_session_may_be_cancelled_at_every_await() {
    let pending = shared(ROUGH, None, "undisturbed");
    assert!(pending > 100, "{pending}");
    for cancel_at in 1..=pending {
        shared(ROUGH, Some(cancel_at), &format!("cancelled at {cancel_at}"));
    }
}

#[test]
fn tasks_that_share_a_session_survive_a_connection_that_fails_at_every_byte() {
    for limit in 0..200 {
        let conduct = Conduct {
            fails_after: Some(limit),
            ..ROUGH
        };
        shared(conduct, None, &format!("failed after {limit} bytes"));
    }
}

/// A client that comes back and sends what waited, cancelled or cut off, and begun again until all
/// is done. Returns how often it was pending.
fn reconnect(first: Conduct, cancel_at: Option<usize>, how: &str) -> usize {
    let world = World::default();
    let (mut receive, mut send, mut memory) = ([0; 64], [0; 40], [0; 128]);
    let mut client = Client::new(&mut receive, &mut send, world.clock.clone());
    let mut backlog = Backlog::new(&mut memory, BacklogPolicy::Reject);
    fill(&mut backlog);
    let subscriptions = [Subscription::new("in", Qos::AtLeastOnce)];
    let mut way = Reconnect::new(
        kept(),
        &subscriptions,
        Backoff::new(0, 0, 7),
        world.clock.clone(),
    );
    let mut executor = Executor::new(&world.clock, cancel_at);
    let mut conduct = first;
    let mut tries = 0;
    while !backlog.is_empty() || !client.session().is_idle() {
        tries += 1;
        assert!(tries < 100, "{how}: it does not end");
        if !client.is_connected() {
            let open = async || Ok::<_, ()>(world.wire(conduct));
            let attempt = executor.run(way.attempt(&mut client, open, |_| {}));
            if !matches!(attempt, Some(Ok(_))) {
                conduct = ROUGH;
                continue;
            }
        }
        backlog.feed(client.session_mut(), |_, queued| assert!(queued.is_ok()));
        if let Some(Err(_)) = executor.run(client.receive()) {
            conduct = ROUGH;
        }
    }
    world.check(how);
    assert!(way.attempts() > way.reconnects(), "{how}");
    executor.pending
}

#[test]
fn the_way_back_may_be_cancelled_at_every_await() {
    let pending = reconnect(ROUGH, None, "undisturbed");
    assert!(pending > 100, "{pending}");
    for cancel_at in 1..=pending {
        reconnect(ROUGH, Some(cancel_at), &format!("cancelled at {cancel_at}"));
    }
}

#[test]
fn the_way_back_survives_a_connection_that_fails_at_every_byte() {
    for limit in 0..200 {
        let conduct = Conduct {
            fails_after: Some(limit),
            ..ROUGH
        };
        reconnect(conduct, None, &format!("failed after {limit} bytes"));
    }
}
