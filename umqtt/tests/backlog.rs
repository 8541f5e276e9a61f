//! Messages that wait for a connection, or for room.

#![cfg(feature = "v3")]

use std::collections::VecDeque;

use umqtt::{
    Backlog, BacklogError, BacklogPolicy, Connect, Event, Instant, Publish, PublishError, Qos,
    Session,
};

const POLICIES: [BacklogPolicy; 3] = [
    BacklogPolicy::Reject,
    BacklogPolicy::DropOldest,
    BacklogPolicy::KeepLatest,
];

const NOW: Instant = Instant::from_millis(0);

/// Payloads of what waits.
fn waiting<'a>(backlog: &'a Backlog<'_>) -> Vec<&'a [u8]> {
    backlog.iter().map(|message| message.payload).collect()
}

/// Each takes 7 bytes.
fn push(backlog: &mut Backlog<'_>, topic: &str, payload: &[u8]) -> Result<(), BacklogError> {
    backlog.push(&Publish::new(topic, payload))
}

/// A session that is connected, without a server.
fn connected<'b>(receive: &'b mut [u8], send: &'b mut [u8], connect: &Connect<'_>) -> Session<'b> {
    let mut session = Session::new(receive, send);
    accept(&mut session, connect, 0);
    session
}

fn accept(session: &mut Session<'_>, connect: &Connect<'_>, session_present: u8) {
    session.connect(connect, NOW).expect("a CONNECT");
    session.transmitted(session.transmit().len(), NOW);
    receive(session, &[0x20, 2, session_present, 0]);
    let connected = session.poll(NOW);
    assert!(matches!(connected, Ok(Some(Event::Connected { .. }))));
}

fn receive(session: &mut Session<'_>, bytes: &[u8]) {
    session.receive_buffer()[..bytes.len()].copy_from_slice(bytes);
    session.received(bytes.len(), NOW);
}

#[test]
fn a_message_waits_with_its_topic_payload_qos_and_retain() {
    let mut memory = [0; 64];
    let mut backlog = Backlog::new(&mut memory, BacklogPolicy::Reject);
    let first = Publish::new("a/b", b"one").qos(Qos::ExactlyOnce).retained();
    let second = Publish::new("灯", b"").qos(Qos::AtLeastOnce);
    backlog.push(&first).unwrap();
    backlog.push(&second).unwrap();
    assert_eq!(backlog.iter().collect::<Vec<_>>(), [first, second]);
    assert_eq!(backlog.front(), Some(first));
    assert!(backlog.pop());
    assert_eq!(backlog.front(), Some(second));
    assert!(backlog.pop() && !backlog.pop());
    assert!(backlog.is_empty());
    assert_eq!(backlog.dropped(), 0);
}

#[test]
fn a_full_backlog_rejects_drops_the_oldest_or_keeps_the_latest_of_each_topic() {
    for policy in POLICIES {
        let mut memory = [0; 4 * 6];
        let mut backlog = Backlog::new(&mut memory, policy);
        for (topic, payload) in [("a", b"1"), ("b", b"2"), ("a", b"3"), ("c", b"4")] {
            push(&mut backlog, topic, payload).unwrap();
        }
        let fifth = push(&mut backlog, "d", b"5");
        let (expected, left, dropped, replaced): (_, &[&[u8]], _, _) = match policy {
            BacklogPolicy::Reject => (Err(BacklogError::Full), &[b"1", b"2", b"3", b"4"], 1, 0),
            BacklogPolicy::DropOldest => (Ok(()), &[b"2", b"3", b"4", b"5"], 1, 0),
            BacklogPolicy::KeepLatest => (Ok(()), &[b"2", b"3", b"4", b"5"], 0, 1),
        };
        assert_eq!(fifth, expected, "{policy:?}");
        assert_eq!(waiting(&backlog), left, "{policy:?}");
        assert_eq!((backlog.dropped(), backlog.replaced()), (dropped, replaced));
    }
}

#[test]
fn what_never_fits_drives_nothing_out_and_counts_as_dropped() {
    for policy in POLICIES {
        let mut memory = [0; 12];
        let mut backlog = Backlog::new(&mut memory, policy);
        push(&mut backlog, "a", b"1").unwrap();
        push(&mut backlog, "b", b"2").unwrap();
        assert_eq!(
            push(&mut backlog, "a", b"8 bytes!"),
            Err(BacklogError::TooLarge)
        );
        assert_eq!(
            push(&mut backlog, "a/#", b""),
            Err(BacklogError::InvalidTopic)
        );
        assert_eq!(push(&mut backlog, "", b""), Err(BacklogError::InvalidTopic));
        assert_eq!(waiting(&backlog), [b"1", b"2"]);
        assert_eq!(backlog.dropped(), 3);
    }
    let mut nothing = Backlog::new(&mut [], BacklogPolicy::DropOldest);
    assert_eq!(push(&mut nothing, "a", b""), Err(BacklogError::TooLarge));
}

#[cfg(feature = "v5")]
#[test]
fn a_message_with_properties_is_not_kept_without_them() {
    let mut memory = [0; 64];
    let mut backlog = Backlog::new(&mut memory, BacklogPolicy::DropOldest);
    let properties = [umqtt::Property::ContentType("text/plain")];
    let message = Publish::new("a", b"1").properties(&properties);
    assert_eq!(backlog.push(&message), Err(BacklogError::Properties));
    assert!(backlog.is_empty());
}

#[test]
fn a_session_is_fed_what_it_has_room_for_and_the_rest_waits() {
    let mut memory = [0; 256];
    let mut backlog = Backlog::new(&mut memory, BacklogPolicy::Reject);
    let (mut receive_buffer, mut send) = ([0; 64], [0; 12 + 2 * 8]);
    let mut session = Session::new(&mut receive_buffer, &mut send);
    for payload in [b"1", b"2", b"3", b"4"] {
        let message = Publish::new("t", payload).qos(Qos::AtLeastOnce);
        backlog.push(&message).unwrap();
    }
    let untold = |message: &Publish<'_>, _| panic!("{message:?}");
    assert_eq!(backlog.feed(&mut session, untold), 0, "not connected");

    let connect = Connect {
        clean_session: false,
        ..Connect::new("a")
    };
    accept(&mut session, &connect, 0);
    let mut told = Vec::new();
    let fed = backlog.feed(&mut session, |message, queued| {
        let identifier = queued.expect("room").expect("QoS 1").value();
        told.push((message.payload.to_vec(), identifier));
    });
    assert_eq!(
        (fed, told),
        (2, vec![(b"1".to_vec(), 1), (b"2".to_vec(), 2)])
    );
    assert_eq!(waiting(&backlog), [b"3", b"4"]);
    assert_eq!(backlog.feed(&mut session, untold), 0, "no room");

    // One was acknowledged: one more goes. What is in flight is the session's to send again.
    session.transmitted(session.transmit().len(), NOW);
    receive(&mut session, &[0x40, 2, 0, 1]);
    assert!(matches!(session.poll(NOW), Ok(Some(Event::Published(..)))));
    assert_eq!(backlog.feed(&mut session, |_, _| {}), 1);
    accept(&mut session, &connect, 1);
    assert_eq!(
        session.transmit(),
        b"\x3a\x06\x00\x01t\x00\x022\x32\x06\x00\x01t\x00\x033"
    );
    assert_eq!(waiting(&backlog), [b"4"]);
    assert_eq!(backlog.dropped(), 0);
}

#[test]
fn what_the_session_never_takes_is_told_dropped_and_does_not_stop_the_rest() {
    let mut memory = [0; 256];
    let mut backlog = Backlog::new(&mut memory, BacklogPolicy::Reject);
    let (mut receive_buffer, mut send) = ([0; 64], [0; 32]);
    let mut session = connected(&mut receive_buffer, &mut send, &Connect::new("a"));
    push(&mut backlog, "t", &[b'x'; 40]).unwrap();
    push(&mut backlog, "t", b"small").unwrap();
    let mut told = Vec::new();
    let fed = backlog.feed(&mut session, |_, queued| told.push(queued));
    assert_eq!(
        (fed, told),
        (1, vec![Err(PublishError::TooLarge), Ok(None)])
    );
    assert_eq!(backlog.dropped(), 1);
    assert!(backlog.is_empty());
}

/// What a backlog does, as one would write it with memory to spare.
struct Model {
    waiting: VecDeque<(String, Vec<u8>, Qos, bool)>,
    capacity: usize,
    policy: BacklogPolicy,
    dropped: u32,
    replaced: u32,
}

impl Model {
    fn size(topic: &str, payload: &[u8]) -> usize {
        let inner = 2 + topic.len() + payload.len();
        1 + if inner < 128 { 1 } else { 2 } + inner
    }

    fn used(&self) -> usize {
        let sizes = self.waiting.iter().map(|(t, p, ..)| Model::size(t, p));
        sizes.sum()
    }

    fn push(&mut self, message: &Publish<'_>) -> bool {
        let size = Model::size(message.topic, message.payload);
        let is_full = self.policy == BacklogPolicy::Reject && self.used() + size > self.capacity;
        if size > self.capacity || is_full {
            self.dropped += 1;
            return false;
        }
        if self.policy == BacklogPolicy::KeepLatest {
            let before = self.waiting.len();
            self.waiting.retain(|(topic, ..)| topic != message.topic);
            self.replaced += (before - self.waiting.len()) as u32;
        }
        while self.used() + size > self.capacity {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back((
            message.topic.to_owned(),
            message.payload.to_vec(),
            message.qos,
            message.retain,
        ));
        true
    }
}

/// xorshift64*: the same sequence for the same seed everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % limit) as usize
    }
}

#[test]
fn random_operations_do_what_they_do_to_a_plain_list() {
    let mut most = 0;
    for seed in 1..=600 {
        let mut random = Random(seed);
        let policy = POLICIES[random.below(3)];
        let mut memory = vec![0; random.below(400)];
        let mut model = Model {
            waiting: VecDeque::new(),
            capacity: memory.len(),
            policy,
            dropped: 0,
            replaced: 0,
        };
        let mut backlog = Backlog::new(&mut memory, policy);
        for step in 0..200u32 {
            match random.below(8) {
                0 | 1 => assert_eq!(backlog.pop(), model.waiting.pop_front().is_some()),
                2 if random.below(20) == 0 => {
                    backlog.clear();
                    model.waiting.clear();
                }
                _ => {
                    let topic =
                        ["a", "b/c", "a/very/long/name/of/a/topic", "d", "e"][random.below(5)];
                    let mut payload = step.to_be_bytes().to_vec();
                    let lengths = [0, 1, 4, 30, 123, 124, 200];
                    payload.resize(lengths[random.below(7)], 7);
                    let message = Publish {
                        qos: Qos::from_bits(random.below(3) as u8).expect("0 to 2"),
                        retain: random.below(2) == 1,
                        ..Publish::new(topic, &payload)
                    };
                    assert_eq!(backlog.push(&message).is_ok(), model.push(&message));
                }
            }
            let seen: Vec<_> = backlog
                .iter()
                .map(|it| (it.topic.to_owned(), it.payload.to_vec(), it.qos, it.retain))
                .collect();
            assert!(
                model.waiting.iter().eq(seen.iter()),
                "seed {seed} {policy:?}"
            );
            assert_eq!(backlog.is_empty(), seen.is_empty());
            assert_eq!(backlog.dropped(), model.dropped, "seed {seed}");
            assert_eq!(backlog.replaced(), model.replaced, "seed {seed}");
            most = most.max(seen.len());
        }
    }
    assert!(most > 20, "{most}");
}
