//! Both drivers against a broker behind a wire that pends, splits and fails.

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use common::broker::Broker;
use common::wire::{Conduct, Counts, Executor, SMOOTH, Wire};
use common::{VirtualClock, message};
use embedded_io::ErrorKind;
use mqttbytes::QoS;
use mqttbytes::v4::Packet;
use umqtt::{
    ClientError, Clock, Connect, Error, Event, PacketIdentifier, Publish, PublishError, Qos,
    ReasonCode, Subscription, asynch, blocking,
};

/// What a test puts together.
struct Bench {
    clock: VirtualClock,
    broker: Rc<RefCell<Broker>>,
    counts: Rc<Counts>,
    conduct: Conduct,
}

impl Bench {
    fn new(conduct: Conduct) -> Self {
        Bench {
            clock: VirtualClock::default(),
            broker: Rc::default(),
            counts: Rc::default(),
            conduct,
        }
    }

    fn wire(&self) -> Wire {
        Wire::new(&self.broker, &self.clock, self.conduct, &self.counts)
    }

    fn packets(&self) -> Vec<Packet> {
        self.broker.borrow().packets.clone()
    }
}

fn kept() -> Connect<'static> {
    Connect {
        clean_session: false,
        ..Connect::new("driver")
    }
}

fn retained() -> Vec<mqttbytes::v4::Publish> {
    vec![
        message("in/0", b"zero", QoS::AtMostOnce, 0),
        message("in/1", b"one", QoS::AtLeastOnce, 101),
        message("in/2", b"two", QoS::ExactlyOnce, 102),
    ]
}

fn note(events: &mut Vec<String>, event: Event<'_>) {
    if let Event::Message(message) = event {
        let payload = String::from_utf8_lossy(message.payload);
        events.push(format!("{} {payload}", message.topic));
    }
}

/// What a program did: the events it saw, in order.
type Events = Vec<String>;

/// Connect, subscribe, publish at every QoS, receive, disconnect; each call repeated, as its docs
/// say, when it was cancelled.
fn session_with_cancelling(bench: &Bench, cancel_at: Option<usize>) -> (Events, usize) {
    bench.broker.borrow_mut().retained = retained();
    let (mut receive, mut send) = ([0; 128], [0; 128]);
    let mut client = asynch::Client::new(&mut receive, &mut send, bench.clock.clone());
    let mut executor = Executor::new(&bench.clock, cancel_at);
    let mut events = Events::new();

    match executor.run(client.connect(bench.wire(), &kept())) {
        Some(outcome) => assert_eq!(outcome, Ok(false)),
        None => match executor.run(client.receive()).unwrap().unwrap() {
            Event::Connected {
                session_present: false,
                ..
            } => {}
            other => panic!("{other:?}"),
        },
    }

    let subscriptions = [Subscription::new("in/#", Qos::ExactlyOnce)];
    let subscribed = match executor.run(client.subscribe(&subscriptions)) {
        Some(identifier) => identifier.unwrap(),
        // There was room, so it is queued, under the first identifier there is.
        None => PacketIdentifier::new(1).unwrap(),
    };
    loop {
        let settled = client.settle(subscribed, |event| note(&mut events, event));
        if let Some(outcome) = executor.run(settled) {
            outcome.unwrap();
            break;
        }
    }

    for (qos, number) in [
        (Qos::AtMostOnce, 0),
        (Qos::AtLeastOnce, 2),
        (Qos::ExactlyOnce, 3),
    ] {
        let publish = Publish::new("out", b"sent").qos(qos);
        let identifier = match executor.run(client.publish(&publish)) {
            Some(identifier) => identifier.unwrap(),
            None => {
                executor.run(client.flush()).unwrap().unwrap();
                PacketIdentifier::new(number)
            }
        };
        if let Some(identifier) = identifier {
            loop {
                let settled = client.settle(identifier, |event| note(&mut events, event));
                if let Some(outcome) = executor.run(settled) {
                    outcome.unwrap();
                    break;
                }
            }
        }
    }

    bench
        .broker
        .borrow_mut()
        .send_message(message("in/late", b"late", QoS::AtLeastOnce, 103));
    loop {
        if let Some(event) = executor.run(client.receive()) {
            note(&mut events, event.unwrap());
            break;
        }
    }
    if executor.run(client.ping()).is_none() {
        executor.run(client.flush()).unwrap().unwrap();
    }
    loop {
        match executor.run(client.receive()) {
            Some(event) => {
                assert_eq!(event.unwrap(), Event::Pong);
                break;
            }
            None => continue,
        }
    }
    loop {
        if let Some(outcome) = executor.run(client.disconnect()) {
            outcome.unwrap();
            break;
        }
    }
    assert!(!client.is_connected());
    assert!(client.transport().is_none());
    (events, executor.pending)
}

#[test]
fn cancelling_any_call_at_any_await_changes_nothing() {
    for chunk in [1, 3, usize::MAX] {
        let conduct = Conduct {
            chunk,
            pends: true,
            ..SMOOTH
        };
        let bench = Bench::new(conduct);
        let (expected, awaits) = session_with_cancelling(&bench, None);
        let bytes = bench.broker.borrow().bytes.clone();
        assert_eq!(
            expected,
            ["in/0 zero", "in/1 one", "in/2 two", "in/late late"]
        );
        assert!(bench.broker.borrow().is_settled() && bench.broker.borrow().left);
        assert!(awaits > 20, "{awaits}");
        for cancel_at in 1..=awaits {
            let bench = Bench::new(conduct);
            let (events, _) = session_with_cancelling(&bench, Some(cancel_at));
            assert_eq!(events, expected, "cancelled at await {cancel_at}");
            assert_eq!(
                bench.broker.borrow().bytes,
                bytes,
                "cancelled at await {cancel_at}"
            );
        }
    }
}

/// What a program has left to do, over all its connections.
struct Work {
    events: Events,
    subscribed: bool,
    todo: Vec<Publish<'static>>,
    in_flight: Option<PacketIdentifier>,
}

impl Work {
    fn new() -> Self {
        Work {
            events: Events::new(),
            subscribed: false,
            todo: vec![
                Publish::new("out", b"two").qos(Qos::ExactlyOnce),
                Publish::new("out", b"one").qos(Qos::AtLeastOnce),
            ],
            in_flight: None,
        }
    }
}

/// One connection of a program that does what is left to do; the same for both drivers.
macro_rules! one_connection {
    ($client:ident, $wire:ident, $work:ident, $($wait:tt)*) => {{
        if !$client.connect($wire, &kept())$($wait)*? {
            $work.subscribed = false;
        }
        if !$work.subscribed {
            let subscriptions = [Subscription::new("in/#", Qos::ExactlyOnce)];
            let identifier = $client.subscribe(&subscriptions)$($wait)*?;
            let events = &mut $work.events;
            $client.settle(identifier, |event| note(events, event))$($wait)*?;
            $work.subscribed = true;
        }
        loop {
            if $work.in_flight.is_none()
                && let Some(publish) = $work.todo.pop()
            {
                $work.in_flight = $client.queue(&publish)?;
            }
            let Some(identifier) = $work.in_flight else { break };
            let events = &mut $work.events;
            $client.settle(identifier, |event| note(events, event))$($wait)*?;
            $work.in_flight = None;
        }
        // Whatever is left of the dialogue: the answer to a PINGREQ ends it.
        $client.ping()$($wait)*?;
        loop {
            match $client.receive()$($wait)*? {
                Event::Pong => break,
                event => note(&mut $work.events, event),
            }
        }
        $client.disconnect()$($wait)*
    }};
}

type Outcome = Result<(), ClientError<ErrorKind>>;

async fn one_connection(
    client: &mut asynch::Client<'_, Wire, VirtualClock>,
    wire: Wire,
    work: &mut Work,
) -> Outcome {
    one_connection!(client, wire, work, .await)
}

fn one_blocking_connection(
    client: &mut blocking::Client<'_, Wire, VirtualClock>,
    wire: Wire,
    work: &mut Work,
) -> Outcome {
    one_connection!(client, wire, work,)
}

/// Runs connections, of which the first fails after `limit` bytes, until one comes to its end.
fn connections(
    bench: &Bench,
    limit: usize,
    mut connection: impl FnMut(Wire, &mut Work) -> Outcome,
) -> (Events, usize) {
    bench.broker.borrow_mut().retained = retained();
    let mut work = Work::new();
    for number in 1..=2 {
        let conduct = Conduct {
            fails_after: (number == 1).then_some(limit),
            ..bench.conduct
        };
        let wire = Wire::new(&bench.broker, &bench.clock, conduct, &bench.counts);
        match connection(wire, &mut work) {
            Ok(()) => return (work.events, number),
            Err(error) => assert_eq!(error, ClientError::Transport(ErrorKind::ConnectionReset)),
        }
    }
    panic!("the second connection does not fail");
}

#[track_caller]
fn check_after_failure(bench: &Bench, events: &[String], limit: usize) {
    let broker = bench.broker.borrow();
    let count = |topic: &str| {
        events
            .iter()
            .filter(|event| event.starts_with(topic))
            .count()
    };
    assert!(broker.is_settled(), "failed after {limit} bytes");
    assert_eq!(
        broker
            .published
            .iter()
            .filter(|each| each.1 == b"two")
            .count(),
        1
    );
    assert!(broker.published.iter().any(|each| each.1 == b"one"));
    assert!(count("in/0") >= 1 && count("in/1") >= 1);
    // The broker sends what is retained once for each SUBSCRIBE that reached it.
    let subscribed = broker
        .packets
        .iter()
        .filter(|packet| matches!(packet, Packet::Subscribe(_)))
        .count();
    assert!((1..=subscribed).contains(&count("in/2")), "{events:?}");
    if subscribed == 1 {
        assert_eq!(count("in/2"), 1, "{events:?} after {limit} bytes");
    }
}

#[test]
fn a_connection_that_fails_at_any_byte_loses_nothing_and_repeats_nothing_of_qos_2() {
    for chunk in [1, usize::MAX] {
        let conduct = Conduct { chunk, ..SMOOTH };
        for limit in 0.. {
            let bench = Bench::new(conduct);
            let (mut receive, mut send) = ([0; 128], [0; 128]);
            let mut executor = Executor::new(&bench.clock, None);
            let mut client = asynch::Client::new(&mut receive, &mut send, bench.clock.clone());
            let with_async = connections(&bench, limit, |wire, work| {
                let outcome = executor.run(one_connection(&mut client, wire, work));
                assert!(!client.is_connected());
                outcome.unwrap()
            });
            check_after_failure(&bench, &with_async.0, limit);

            let bench = Bench::new(conduct);
            let (mut receive, mut send) = ([0; 128], [0; 128]);
            let mut client = blocking::Client::new(&mut receive, &mut send, bench.clock.clone());
            let with_blocking = connections(&bench, limit, |wire, work| {
                one_blocking_connection(&mut client, wire, work)
            });
            check_after_failure(&bench, &with_blocking.0, limit);
            assert_eq!(with_blocking, with_async);
            if with_async.1 == 1 {
                assert!(limit > 100);
                break;
            }
        }
    }
}

#[test]
fn what_is_queued_together_leaves_in_one_write_and_one_flush() {
    let bench = Bench::new(SMOOTH);
    let (mut receive, mut send) = ([0; 128], [0; 256]);
    let mut client = blocking::Client::new(&mut receive, &mut send, bench.clock.clone());
    client.connect(bench.wire(), &Connect::new("a")).unwrap();
    let before = (bench.counts.writes.get(), bench.counts.flushes.get());
    for _ in 0..5 {
        client.queue(&Publish::new("t", b"x")).unwrap();
    }
    client.flush().unwrap();
    client.flush().unwrap();
    let after = (bench.counts.writes.get(), bench.counts.flushes.get());
    assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1));
    assert_eq!(bench.broker.borrow().published.len(), 5);
}

#[test]
fn a_reply_and_the_acknowledgement_of_its_command_leave_in_one_write() {
    let bench = Bench::new(SMOOTH);
    let (mut receive, mut send) = ([0; 128], [0; 128]);
    let mut client = asynch::Client::new(&mut receive, &mut send, bench.clock.clone());
    let mut executor = Executor::new(&bench.clock, None);
    let connected = executor.run(client.connect(bench.wire(), &Connect::new("a")));
    connected.unwrap().unwrap();
    let command = message("in", b"on", QoS::AtLeastOnce, 7);
    bench.broker.borrow_mut().send_message(command);
    let writes = bench.counts.writes.get();
    executor.run(client.receive()).unwrap().unwrap();
    assert!(
        !bench
            .packets()
            .iter()
            .any(|packet| matches!(packet, Packet::PubAck(_)))
    );

    client.queue(&Publish::new("out", b"on-1")).unwrap();
    let deadline = bench.clock.now();
    let nothing = executor.run(client.receive_until(deadline));
    assert_eq!(nothing.unwrap(), Ok(None));
    assert_eq!(bench.counts.writes.get() - writes, 1);
    match &bench.packets()[1..] {
        [Packet::Publish(reply), Packet::PubAck(ack)] => {
            assert_eq!((reply.topic.as_str(), ack.pkid), ("out", 7));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn publishing_into_a_full_buffer_waits_for_the_wire_but_not_for_the_server() {
    let bench = Bench::new(Conduct { chunk: 5, ..SMOOTH });
    let (mut receive, mut send) = ([0; 64], [0; 40]);
    let mut client = blocking::Client::new(&mut receive, &mut send, bench.clock.clone());
    client.connect(bench.wire(), &Connect::new("a")).unwrap();
    let publish = Publish::new("t", b"0123456789");
    client.queue(&publish).unwrap();
    assert_eq!(
        client.queue(&publish),
        Err(ClientError::Publish(PublishError::Full))
    );
    client.publish(&publish).unwrap();
    assert_eq!(bench.broker.borrow().published.len(), 2);

    let publish = publish.qos(Qos::AtLeastOnce);
    let first = client.publish(&publish).unwrap().unwrap();
    assert_eq!(
        client.publish(&publish),
        Err(ClientError::Publish(PublishError::Full))
    );
    client.settle(first, |event| panic!("{event:?}")).unwrap();
    client.publish(&publish).unwrap();
    assert_eq!(
        client.publish(&Publish::new("t", &[0; 40])),
        Err(ClientError::Publish(PublishError::TooLarge))
    );
    assert!(client.is_connected());
}

#[test]
fn a_refused_subscription_is_a_typed_error_and_the_connection_stands() {
    let bench = Bench::new(SMOOTH);
    bench.broker.borrow_mut().refused.push("b".into());
    let (mut receive, mut send) = ([0; 64], [0; 64]);
    let mut client = blocking::Client::new(&mut receive, &mut send, bench.clock.clone());
    client.connect(bench.wire(), &Connect::new("a")).unwrap();
    let filters = ["a", "b"].map(|filter| Subscription::new(filter, Qos::AtLeastOnce));
    let identifier = client.subscribe(&filters).unwrap();
    assert_eq!(
        client.settle(identifier, |_| {}),
        Err(ClientError::Refused(ReasonCode::UNSPECIFIED_ERROR))
    );
    assert_eq!(
        client.settle(identifier, |_| {}),
        Err(ClientError::NotPending)
    );
    let identifier = client.unsubscribe(&["a"]).unwrap();
    assert_eq!(client.settle(identifier, |_| {}), Ok(()));
}

#[test]
fn both_drivers_keep_the_connection_alive_and_find_out_that_it_is_dead() {
    let bench = Bench::new(SMOOTH);
    let (mut receive, mut send) = ([0; 64], [0; 64]);
    let mut client = blocking::Client::new(&mut receive, &mut send, bench.clock.clone());
    client.connect(bench.wire(), &Connect::new("a")).unwrap();
    let hour = bench.clock.now().after(3_601_000);
    let mut pongs = 0;
    while client.receive_until(hour).unwrap() == Some(Event::Pong) {
        pongs += 1;
    }
    assert_eq!(pongs, 80, "every 45 s");
    assert_eq!(client.round_trip(), Some(0));
    client.disconnect().unwrap();

    let bench = Bench::new(SMOOTH);
    let (mut receive, mut send) = ([0; 64], [0; 64]);
    let mut client = asynch::Client::new(&mut receive, &mut send, bench.clock.clone());
    let mut executor = Executor::new(&bench.clock, None);
    let connected = executor.run(client.connect(bench.wire(), &Connect::new("a")));
    connected.unwrap().unwrap();
    let event = executor.run(client.receive()).unwrap();
    assert_eq!(event, Ok(Event::Pong));
    assert_eq!(bench.clock.now().as_millis(), 45_000);

    // A server that is stopped: the wire takes bytes, and nothing comes.
    let mut silent = blocking::Client::new(&mut receive, &mut send, bench.clock.clone());
    let silence = Silent(bench.clock.clone());
    assert_eq!(
        silent.connect(silence, &Connect::new("a")),
        Err(ClientError::Session(Error::ConnackTimeout))
    );
    assert_eq!(bench.clock.now().as_millis(), 50_000);
}

/// The server would otherwise give up a client that it hears nothing of (section 3.1.2.10).
#[test]
fn a_stream_of_messages_without_a_pause_does_not_keep_a_ping_back() {
    let deliver = |bench: &Bench| {
        bench.clock.advance(1_000);
        let publish = message("in", b"x", QoS::AtMostOnce, 0);
        bench.broker.borrow_mut().send_message(publish);
    };
    let pings = |bench: &Bench| {
        let packets = bench.packets();
        let ping = |packet: &&Packet| **packet == Packet::PingReq;
        packets.iter().filter(ping).count()
    };
    let (mut receive, mut send) = ([0; 64], [0; 64]);

    let bench = Bench::new(SMOOTH);
    let mut client = blocking::Client::new(&mut receive, &mut send, bench.clock.clone());
    client.connect(bench.wire(), &Connect::new("a")).unwrap();
    for _ in 0..200 {
        deliver(&bench);
        client.receive().unwrap();
    }
    assert_eq!(pings(&bench), 4, "every 45 s");

    let bench = Bench::new(SMOOTH);
    let mut client = asynch::Client::new(&mut receive, &mut send, bench.clock.clone());
    let mut executor = Executor::new(&bench.clock, None);
    let connected = executor.run(client.connect(bench.wire(), &Connect::new("a")));
    connected.unwrap().unwrap();
    for _ in 0..200 {
        deliver(&bench);
        executor.run(client.receive()).unwrap().unwrap();
    }
    assert_eq!(pings(&bench), 4, "every 45 s");
}

#[test]
fn an_answer_that_waited_in_the_wire_while_the_program_was_busy_counts() {
    let bench = Bench::new(SMOOTH);
    let (mut receive, mut send) = ([0; 64], [0; 64]);
    let mut client = blocking::Client::new(&mut receive, &mut send, bench.clock.clone());
    client.connect(bench.wire(), &Connect::new("a")).unwrap();
    client.ping().unwrap();
    bench.clock.advance(30_000);
    assert_eq!(client.try_receive(), Ok(Some(Event::Pong)));
    assert_eq!(client.try_receive(), Ok(None));

    // `try_receive` alone keeps the connection alive.
    let pings = |bench: &Bench| {
        let packets = bench.packets();
        packets
            .iter()
            .filter(|packet| **packet == Packet::PingReq)
            .count()
    };
    let before = pings(&bench);
    for _ in 0..100 {
        bench.clock.advance(1_000);
        client.try_receive().unwrap();
    }
    assert_eq!(pings(&bench) - before, 2);
}

#[test]
fn the_end_of_the_stream_and_a_write_of_nothing_are_told_apart() {
    let clock = VirtualClock::default();
    let (mut receive, mut send) = ([0; 64], [0; 64]);
    let mut client = blocking::Client::new(&mut receive, &mut send, clock.clone());
    for (takes, expected) in [(true, ClientError::Closed), (false, ClientError::WriteZero)] {
        let ended = Ended { takes };
        assert_eq!(client.connect(ended, &Connect::new("a")), Err(expected));
        assert!(client.transport().is_none());
        assert_eq!(client.receive(), Err(ClientError::NotConnected));
        assert_eq!(client.try_receive(), Err(ClientError::NotConnected));
        assert_eq!(
            client.publish(&Publish::new("t", b"")),
            Err(ClientError::NotConnected)
        );
        assert_eq!(client.ping(), Err(ClientError::NotConnected));
        assert_eq!(client.disconnect(), Err(ClientError::NotConnected));
        assert_eq!(client.flush(), Ok(()));
    }
}

/// Takes every byte and never answers.
struct Silent(VirtualClock);

impl embedded_io::ErrorType for Silent {
    type Error = ErrorKind;
}

impl embedded_io::Read for Silent {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.advance(100);
        Err(ErrorKind::TimedOut)
    }
}

impl embedded_io::Write for Silent {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// A stream that is over: it reads nothing, and takes everything or nothing.
struct Ended {
    takes: bool,
}

impl embedded_io::ErrorType for Ended {
    type Error = ErrorKind;
}

impl embedded_io::Read for Ended {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, ErrorKind> {
        Ok(0)
    }
}

impl embedded_io::ReadReady for Ended {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        Ok(true)
    }
}

impl embedded_io::Write for Ended {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(if self.takes { bytes.len() } else { 0 })
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
