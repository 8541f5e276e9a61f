//! What the drivers do for MQTT 5, and with messages larger than their buffers, over a wire that
//! pends, splits and stops.

mod common;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use common::VirtualClock;
use common::wire::Executor;
use embedded_io::{ErrorKind, ErrorType};
use umqtt::{
    ClientError, Clock, Connect, Error, Event, Oversize, Property, PropertyList, ProtocolError,
    Publish, Qos, ReasonCode, StreamError, Version, asynch, blocking,
};

/// One end of a connection, and what a test does at the other.
#[derive(Clone, Default)]
struct Wire(Rc<RefCell<Ends>>);

#[derive(Default)]
struct Ends {
    clock: VirtualClock,
    /// From the server.
    incoming: VecDeque<u8>,
    /// To the server.
    written: Vec<u8>,
    flushed: usize,
    /// Bytes that one read or write moves at most; 0 for no limit.
    chunk: usize,
    /// Every other poll is pending for no reason.
    pends: bool,
    pended: bool,
    /// It takes no more bytes than this, and waits for ever.
    limit: Option<usize>,
    /// Every write returns 0.
    is_full: bool,
    /// Something of this end was dropped.
    is_dropped: bool,
}

impl Wire {
    fn new(clock: &VirtualClock, incoming: &[u8]) -> Self {
        let wire = Wire::default();
        wire.0.borrow_mut().clock = clock.clone();
        wire.0.borrow_mut().incoming.extend(incoming);
        wire
    }

    fn incoming(&self, bytes: &[u8]) {
        self.0.borrow_mut().incoming.extend(bytes);
    }

    fn written(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().written)
    }
}

impl Ends {
    fn most(&self, wanted: usize) -> usize {
        match self.chunk {
            0 => wanted,
            chunk => wanted.min(chunk),
        }
    }

    fn pends(&mut self) -> bool {
        self.pended = self.pends && !self.pended;
        self.pended
    }

    fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        assert!(!buffer.is_empty(), "a read without room");
        if self.incoming.is_empty() {
            self.clock.starve();
            return None;
        }
        let count = self.most(buffer.len()).min(self.incoming.len());
        for (to, from) in buffer.iter_mut().zip(self.incoming.drain(..count)) {
            *to = from;
        }
        Some(count)
    }

    fn write(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.is_full {
            return Some(0);
        }
        let room = self
            .limit
            .map_or(usize::MAX, |limit| limit - self.written.len());
        if room == 0 {
            self.clock.starve();
            return None;
        }
        let count = self.most(bytes.len()).min(room);
        self.written.extend(&bytes[..count]);
        Some(count)
    }
}

/// The end a driver holds.
struct End(Wire);

impl Drop for End {
    fn drop(&mut self) {
        self.0.0.borrow_mut().is_dropped = true;
    }
}

impl ErrorType for End {
    type Error = ErrorKind;
}

impl embedded_io_async::Read for End {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| {
            let mut ends = self.0.0.borrow_mut();
            match ends.pends() {
                true => Poll::Pending,
                false => ends
                    .read(buffer)
                    .map_or(Poll::Pending, |n| Poll::Ready(Ok(n))),
            }
        })
        .await
    }
}

impl embedded_io_async::Write for End {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| {
            let mut ends = self.0.0.borrow_mut();
            match ends.pends() {
                true => Poll::Pending,
                false => ends
                    .write(bytes)
                    .map_or(Poll::Pending, |n| Poll::Ready(Ok(n))),
            }
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        let mut ends = self.0.0.borrow_mut();
        ends.flushed = ends.written.len();
        Ok(())
    }
}

impl embedded_io::Read for End {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut ends = self.0.0.borrow_mut();
        ends.read(buffer).ok_or_else(|| {
            ends.clock.advance(1_000);
            ErrorKind::TimedOut
        })
    }
}

impl embedded_io::Write for End {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let mut ends = self.0.0.borrow_mut();
        ends.write(bytes).ok_or(ErrorKind::TimedOut)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        let mut ends = self.0.0.borrow_mut();
        ends.flushed = ends.written.len();
        Ok(())
    }
}

const CONNACK: [u8; 5] = [0x20, 3, 0, 0, 0];
/// A message under no topic and no alias, which is a protocol error.
const WRONG: [u8; 5] = [0x30, 3, 0, 0, 0];
const FAREWELL: [u8; 3] = [0xe0, 1, 0x82];

fn v5() -> Connect<'static> {
    Connect {
        version: Version::V5,
        ..Connect::new("a")
    }
}

fn leak() -> &'static mut [u8] {
    Box::leak(vec![0; 128].into_boxed_slice())
}

fn asynchronous(clock: &VirtualClock) -> asynch::Client<'static, End, VirtualClock> {
    asynch::Client::new(leak(), leak(), clock.clone())
}

fn broken<E: std::fmt::Debug + PartialEq>(outcome: Result<Event<'_>, ClientError<E>>) {
    let expected = Error::Protocol(ProtocolError::NoTopic);
    assert_eq!(outcome.err(), Some(ClientError::Session(expected)));
}

#[test]
fn the_server_hears_what_it_did_wrong() {
    let clock = VirtualClock::default();
    let wire = Wire::new(&clock, &[&CONNACK[..], &WRONG].concat());
    let mut client = blocking::Client::new(leak(), leak(), clock.clone());
    client.connect(End(wire.clone()), &v5()).unwrap();
    wire.written();
    broken(client.receive());
    assert_eq!(wire.written(), FAREWELL);
    assert!(wire.0.borrow().flushed == 3 && wire.0.borrow().is_dropped);

    for (chunk, pends) in [(0, false), (1, true)] {
        let wire = Wire::new(&clock, &[&CONNACK[..], &WRONG].concat());
        wire.0.borrow_mut().chunk = chunk;
        wire.0.borrow_mut().pends = pends;
        let mut client = asynchronous(&clock);
        let mut executor = Executor::new(&clock, None);
        executor
            .run(client.connect(End(wire.clone()), &v5()))
            .unwrap()
            .unwrap();
        wire.written();
        broken(executor.run(client.receive()).unwrap());
        assert_eq!(wire.written(), FAREWELL);
        assert!(wire.0.borrow().flushed == 3 && wire.0.borrow().is_dropped);
    }
}

#[test]
fn a_transport_that_takes_no_more_bytes_is_no_reason_to_panic() {
    let clock = VirtualClock::default();
    let incoming = [&CONNACK[..], &WRONG].concat();

    let wire = Wire::new(&clock, &incoming);
    let mut client = blocking::Client::new(leak(), leak(), clock.clone());
    client.connect(End(wire.clone()), &v5()).unwrap();
    wire.0.borrow_mut().is_full = true;
    broken(client.receive());
    assert!(wire.0.borrow().is_dropped);

    let wire = Wire::new(&clock, &incoming);
    let mut client = asynchronous(&clock);
    let mut executor = Executor::new(&clock, None);
    executor
        .run(client.connect(End(wire.clone()), &v5()))
        .unwrap()
        .unwrap();
    wire.0.borrow_mut().is_full = true;
    broken(executor.run(client.receive()).unwrap());
    assert!(wire.0.borrow().is_dropped);
}

#[test]
fn a_second_task_that_runs_a_shared_session_is_told_and_the_first_goes_on() {
    let clock = VirtualClock::default();
    let shared = umqtt::Shared::new(leak(), leak(), clock.clone());
    let (first, second) = (Wire::new(&clock, &CONNACK), Wire::new(&clock, &CONNACK));
    // It keeps the session borrowed while it waits to write.
    first.0.borrow_mut().pends = true;
    let (connect, mut scratch, mut other) = (v5(), [0; 64], [0; 64]);
    let mut running = pin!(shared.run(End(first.clone()), &connect, &mut scratch, |_| {}));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..20 {
        assert!(running.as_mut().poll(&mut context).is_pending());
        let refused = shared.run(End(second.clone()), &connect, &mut other, |_| {});
        let refused = pin!(refused).poll(&mut context);
        assert_eq!(refused, Poll::Ready(Err(ClientError::Running)));
    }
    assert!(second.written().is_empty() && !first.written().is_empty());
    assert_eq!(shared.with_session(|it| it.is_connected()), Some(true));

    first.incoming(&WRONG);
    let ended = Poll::Ready(Err(ClientError::Session(Error::Protocol(
        ProtocolError::NoTopic,
    ))));
    let mut polls = (0..20).map(|_| running.as_mut().poll(&mut context));
    assert!(polls.any(|poll| poll == ended));
    // And now another one may.
    let wire = Wire::new(&clock, &[&CONNACK[..], &WRONG].concat());
    let again = shared.run(End(wire), &connect, &mut other, |_| {});
    let again = Executor::new(&clock, None).run(again);
    assert_eq!(again.map(Poll::Ready), Some(ended));
}

#[test]
fn a_server_that_does_not_listen_is_told_for_a_second_and_no_longer() {
    let clock = VirtualClock::default();
    let wire = Wire::new(&clock, &[&CONNACK[..], &WRONG].concat());
    let mut client = asynchronous(&clock);
    let mut executor = Executor::new(&clock, None);
    executor
        .run(client.connect(End(wire.clone()), &v5()))
        .unwrap()
        .unwrap();
    wire.written();
    wire.0.borrow_mut().limit = Some(1);
    let before = clock.now();
    broken(executor.run(client.receive()).unwrap());
    assert_eq!(clock.now(), before.after(1_000));
    assert_eq!(wire.written(), FAREWELL[..1]);
}

#[test]
fn tasks_that_share_a_session_tell_the_server_too_and_do_not_wait_for_one_that_is_gone() {
    let clock = VirtualClock::default();
    let shared = umqtt::Shared::new(leak(), leak(), clock.clone());
    let run = |wire: &Wire| {
        let end = End(wire.clone());
        let (connect, mut scratch) = (v5(), [0; 64]);
        let ended = shared.run(end, &connect, &mut scratch, |_| {});
        Executor::new(&clock, None).run(ended).expect("an end")
    };
    let wire = Wire::new(&clock, &[&CONNACK[..], &WRONG].concat());
    let expected = Error::Protocol(ProtocolError::NoTopic);
    assert_eq!(run(&wire), Err(ClientError::Session(expected)));
    assert!(wire.written().ends_with(&FAREWELL));

    // It takes a part of CONNECT, and nothing more.
    let wire = Wire::new(&clock, &[]);
    wire.0.borrow_mut().limit = Some(7);
    let before = clock.now();
    let expected = Err(ClientError::Session(Error::ConnackTimeout));
    assert_eq!(run(&wire), expected);
    assert_eq!(clock.now(), before.after(5_000));
}

#[test]
fn a_cancelled_farewell_is_not_a_lost_error() {
    for cancel_at in 1.. {
        let clock = VirtualClock::default();
        let wire = Wire::new(&clock, &[&CONNACK[..], &WRONG].concat());
        wire.0.borrow_mut().chunk = 1;
        let mut client = asynchronous(&clock);
        let mut executor = Executor::new(&clock, None);
        executor
            .run(client.connect(End(wire.clone()), &v5()))
            .unwrap()
            .unwrap();
        wire.written();
        wire.0.borrow_mut().pends = true;
        let mut executor = Executor::new(&clock, Some(cancel_at));
        match executor.run(client.receive()) {
            Some(outcome) => {
                broken(outcome);
                assert!(cancel_at > 3, "{cancel_at}");
                return;
            }
            None => broken(executor.run(client.receive()).unwrap()),
        }
        assert_eq!(wire.written(), FAREWELL);
    }
}

const METHOD: Property<'static> = Property::AuthenticationMethod("M");
const AUTH: [u8; 8] = [0xf0, 6, 0x18, 4, 0x15, 0, 1, b'M'];

#[test]
fn an_authentication_needs_begin() {
    let connect = Connect {
        properties: PropertyList::new(&[METHOD]),
        ..v5()
    };
    let clock = VirtualClock::default();
    let mut executor = Executor::new(&clock, None);
    let wire = Wire::new(&clock, &AUTH);
    let mut client = asynchronous(&clock);
    let outcome = executor
        .run(client.connect(End(wire.clone()), &connect))
        .unwrap();
    assert_eq!(outcome, Err(ClientError::Authentication));
    assert!(wire.0.borrow().is_dropped);

    let wire = Wire::new(&clock, &AUTH);
    client.begin(End(wire.clone()), &connect).unwrap();
    match executor.run(client.receive()).unwrap().unwrap() {
        Event::Authentication(answer) => {
            assert_eq!(answer.reason, ReasonCode::CONTINUE_AUTHENTICATION);
        }
        other => panic!("{other:?}"),
    }
    let reason = ReasonCode::CONTINUE_AUTHENTICATION;
    client
        .session_mut()
        .authenticate(reason, &[METHOD])
        .unwrap();
    wire.written();
    wire.incoming(&CONNACK);
    assert!(matches!(
        executor.run(client.receive()),
        Some(Ok(Event::Connected { .. }))
    ));
    assert_eq!(wire.written(), AUTH);

    let wire = Wire::new(&clock, &AUTH);
    let mut client = blocking::Client::new(leak(), leak(), clock.clone());
    let outcome = client.connect(End(wire.clone()), &connect);
    assert_eq!(outcome, Err(ClientError::Authentication));
    assert!(wire.0.borrow().is_dropped);
}

/// Where a message is read from: as much at once as `chunk`, pending every other time.
struct Source {
    bytes: VecDeque<u8>,
    chunk: usize,
    pended: bool,
}

impl ErrorType for Source {
    type Error = ErrorKind;
}

impl embedded_io_async::Read for Source {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        poll_fn(|_| {
            self.pended = !self.pended;
            match self.pended {
                true => Poll::Pending,
                false => Poll::Ready(()),
            }
        })
        .await;
        let count = buffer.len().min(self.chunk).min(self.bytes.len());
        for (to, from) in buffer.iter_mut().zip(self.bytes.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }
}

#[test]
fn a_message_read_from_a_source_survives_cancelling_at_every_await() {
    let payload: Vec<u8> = (0..300_u32).map(|i| i as u8).collect();
    let message = Publish::new("t", b"<").qos(Qos::AtLeastOnce);
    let body = [&b"\x00\x01t\x00\x01\x00<"[..], &payload].concat();
    let expected = [&[0x32, 0xb3, 0x02][..], &body].concat();
    let run = |cancel_at| {
        let clock = VirtualClock::default();
        let wire = Wire::new(&clock, &CONNACK);
        let mut client = asynchronous(&clock);
        let mut executor = Executor::new(&clock, None);
        executor
            .run(client.connect(End(wire.clone()), &v5()))
            .unwrap()
            .unwrap();
        wire.written();
        wire.0.borrow_mut().chunk = 33;
        wire.0.borrow_mut().pends = true;
        let mut executor = Executor::new(&clock, cancel_at);
        let begun = executor.run(client.publish_stream(&message, payload.len()));
        assert!(begun.is_none_or(|begun| begun.is_ok()));
        let mut source = Source {
            bytes: payload.iter().copied().collect(),
            chunk: 20,
            pended: false,
        };
        // Again, as its docs say, when it was cancelled.
        while executor.run(client.stream_from(&mut source)).is_none() {}
        assert_eq!(wire.written(), expected, "{cancel_at:?}");
        let pending = executor.pending;
        wire.incoming(&[0x40, 2, 0, 1]);
        let mut executor = Executor::new(&clock, None);
        match executor.run(client.receive()).unwrap().unwrap() {
            Event::Published(identifier, _) => assert_eq!(identifier.value(), 1),
            other => panic!("{other:?}"),
        }
        pending
    };
    let pending = run(None);
    assert!(pending > 20, "{pending}");
    for cancel_at in 1..=pending {
        run(Some(cancel_at));
    }
}

#[test]
fn a_source_that_ends_early_leaves_the_message_waiting() {
    let clock = VirtualClock::default();
    let wire = Wire::new(&clock, &CONNACK);
    let mut client = blocking::Client::new(leak(), leak(), clock.clone());
    client.connect(End(wire.clone()), &v5()).unwrap();
    client.publish_stream(&Publish::new("t", b""), 10).unwrap();
    let outcome = client.stream_from(&mut &b"12345"[..]);
    assert_eq!(outcome, Err(StreamError::Ended));
    assert_eq!(client.session().stream_missing(), 5);
    wire.written();
    let mut rest = &b"67890..."[..];
    client.stream_from(&mut rest).unwrap();
    assert_eq!(wire.written(), b"\x30\x0e\x00\x01t\x001234567890");
    assert_eq!(
        rest, b"...",
        "what is not of the message stays in the source"
    );
}

#[test]
fn pieces_come_through_the_drivers() {
    let clock = VirtualClock::default();
    let large = [&[0x30, 0xcc, 0x01, 0, 1, b't', 0][..], &[7; 200]].concat();
    let wire = Wire::new(&clock, &[&CONNACK[..], &large].concat());
    let connect = Connect {
        oversize: Oversize::Stream,
        ..v5()
    };
    let mut client = asynchronous(&clock);
    let mut executor = Executor::new(&clock, None);
    executor
        .run(client.connect(End(wire), &connect))
        .unwrap()
        .unwrap();
    let mut heard = 0;
    while heard < 200 {
        match executor.run(client.receive()).unwrap().unwrap() {
            Event::Chunk(chunk) => {
                assert_eq!((chunk.message.topic.as_str(), chunk.offset), ("t", heard));
                heard += chunk.message.payload.len();
                assert_eq!(chunk.is_last(), heard == 200);
            }
            other => panic!("{other:?}"),
        }
    }
}

// 5: [MQTT-4.3.3-7] [MQTT-4.4.0-1]
#[test]
fn a_message_of_qos_2_that_the_server_was_done_with_before_is_settled_and_not_refused() {
    let clock = VirtualClock::default();
    let kept = Connect {
        clean_session: false,
        ..v5()
    };
    let message = Publish::new("t", b"p").qos(Qos::ExactlyOnce);
    let pubrec = [0x50, 2, 0, 1];
    // The PUBCOMP of the first connection was lost: on the second the server knows nothing any more.
    let present = [0x20, 3, 1, 0, 0];
    let not_found = [0x70, 3, 0, 1, 0x92];
    let refusal = [0x50, 3, 0, 2, 0x97];
    let refused = Err(ClientError::Refused(ReasonCode::QUOTA_EXCEEDED));

    let wire = Wire::new(&clock, &CONNACK);
    let mut client = blocking::Client::new(leak(), leak(), clock.clone());
    client.connect(End(wire.clone()), &kept).unwrap();
    let identifier = client.publish(&message).unwrap().unwrap();
    wire.incoming(&pubrec);
    assert_eq!(client.receive_until(clock.now()), Ok(None));
    let wire = Wire::new(&clock, &present);
    client.connect(End(wire.clone()), &kept).unwrap();
    client.flush().unwrap();
    assert!(wire.written().ends_with(&[0x62, 2, 0, 1]));
    wire.incoming(&not_found);
    assert_eq!(client.settle(identifier, |_| {}), Ok(()));
    let identifier = client.publish(&message).unwrap().unwrap();
    wire.incoming(&refusal);
    assert_eq!(client.settle(identifier, |_| {}), refused);

    let wire = Wire::new(&clock, &CONNACK);
    let mut client = asynchronous(&clock);
    let mut executor = Executor::new(&clock, None);
    let connected = executor.run(client.connect(End(wire.clone()), &kept));
    connected.unwrap().unwrap();
    let identifier = executor.run(client.publish(&message)).unwrap().unwrap();
    wire.incoming(&pubrec);
    let heard = executor.run(client.try_receive()).unwrap();
    assert_eq!(heard, Ok(None));
    let wire = Wire::new(&clock, &present);
    let connected = executor.run(client.connect(End(wire.clone()), &kept));
    connected.unwrap().unwrap();
    executor.run(client.flush()).unwrap().unwrap();
    wire.incoming(&not_found);
    let settled = executor.run(client.settle(identifier.unwrap(), |_| {}));
    assert_eq!(settled, Some(Ok(())));
    let identifier = executor.run(client.publish(&message)).unwrap().unwrap();
    wire.incoming(&refusal);
    let settled = executor.run(client.settle(identifier.unwrap(), |_| {}));
    assert_eq!(settled, Some(refused));
}

#[test]
fn a_task_hears_of_each_message_whether_it_was_taken_refused_or_lost_however_late_it_asks() {
    let clock = VirtualClock::default();
    let send = Box::leak(vec![0; 256].into_boxed_slice());
    let shared = umqtt::Shared::new(leak(), send, clock.clone());
    let message = Publish::new("t", b"").qos(Qos::AtLeastOnce);
    let publish = |shared: &umqtt::Shared<'static, VirtualClock>| {
        let published = Executor::new(&clock, None).run(shared.publish(&message));
        published.unwrap().unwrap().unwrap()
    };
    let settle = |identifier| {
        let mut context = Context::from_waker(Waker::noop());
        pin!(shared.settle(identifier)).poll(&mut context)
    };
    let refused = Err(ClientError::Refused(ReasonCode::QUOTA_EXCEEDED));

    let wire = Wire::new(&clock, &CONNACK);
    let (connect, mut scratch) = (v5(), [0; 64]);
    let mut waker = Context::from_waker(Waker::noop());
    let [taken, rejected, unknown] = {
        let mut running = pin!(shared.run(End(wire.clone()), &connect, &mut scratch, |_| {}));
        let mut run =
            || (0..20).for_each(|_| assert!(running.as_mut().poll(&mut waker).is_pending()));
        run();
        let identifiers = [publish(&shared), publish(&shared), publish(&shared)];
        run();
        assert_eq!(settle(identifiers[0]), Poll::Pending);
        wire.incoming(&[0x40, 2, 0, 1, 0x40, 3, 0, 2, 0x97]);
        run();
        assert_eq!(settle(identifiers[0]), Poll::Ready(Ok(())));
        assert_eq!(settle(identifiers[2]), Poll::Pending);
        identifiers
    };
    // The connection is gone: what was answered still is, and the rest waits for the next.
    assert_eq!(settle(taken), Poll::Ready(Ok(())));
    assert_eq!(settle(rejected), Poll::Ready(refused));
    assert_eq!(settle(unknown), Poll::Ready(Err(ClientError::NotConnected)));

    // Which begins a clean session.
    let wire = Wire::new(&clock, &CONNACK);
    let mut running = pin!(shared.run(End(wire.clone()), &connect, &mut scratch, |_| {}));
    let mut run = || (0..20).for_each(|_| assert!(running.as_mut().poll(&mut waker).is_pending()));
    run();
    assert_eq!(settle(unknown), Poll::Ready(Err(ClientError::NotPending)));
    assert_eq!(settle(taken), Poll::Ready(Ok(())));
    // More answers at once than are remembered: who waits for the first hears of it.
    let first = publish(&shared);
    let mut waiting = pin!(shared.settle(first));
    let mut heard = None;
    let mut answers = vec![0x40, 3, 0, 4, 0x97];
    for identifier in 5..24 {
        publish(&shared);
        answers.extend([0x40, 2, 0, identifier]);
    }
    run();
    wire.incoming(&answers);
    for _ in 0..20 {
        assert!(running.as_mut().poll(&mut waker).is_pending());
        if heard.is_none() {
            match waiting.as_mut().poll(&mut waker) {
                Poll::Ready(outcome) => heard = Some(outcome),
                Poll::Pending => {}
            }
        }
    }
    assert_eq!(heard, Some(refused));
    assert_eq!(settle(first), Poll::Ready(Err(ClientError::NotPending)));
}
