//! A world that may do anything: a transport, a clock, and values out of nowhere.

use core::hint::black_box;

use embedded_io::{ErrorKind, ErrorType, ReadReady};
use umqtt::{
    Connect, Credentials, Instant, Oversize, PacketIdentifier, Property, PropertyList, Publish,
    Qos, RetainHandling, Subscription, Version,
};

/// This value, or any other one of its type, as far as the compiler knows.
pub fn any<T>(value: T) -> T {
    black_box(value)
}

/// Whatever this is after it was out of sight.
pub fn shuffle<T>(value: &mut T) -> &mut T {
    black_box(value)
}

pub fn now() -> Instant {
    Instant::from_millis(any(1))
}

pub fn identifier() -> PacketIdentifier {
    loop {
        if let Some(identifier) = PacketIdentifier::new(any(1)) {
            return identifier;
        }
    }
}

pub fn qos() -> Qos {
    Qos::from_bits(any(1)).unwrap_or_default()
}

pub fn properties() -> &'static [Property<'static>] {
    const ALL: &[Property<'static>] = &[
        Property::PayloadFormatIndicator(true),
        Property::TopicAlias(1),
        Property::UserProperty("a", "b"),
        Property::CorrelationData(b"c"),
    ];
    any(ALL)
}

pub fn property_list() -> PropertyList<'static> {
    let list = PropertyList::new(properties());
    any((list.as_slice(), list.is_empty()));
    any(list)
}

pub fn message() -> Publish<'static> {
    let message = Publish::new(any("t"), any(b"p"))
        .qos(qos())
        .properties(properties());
    match any(false) {
        true => message.retained(),
        false => message,
    }
}

pub fn subscriptions() -> &'static [Subscription<'static>] {
    const ALL: &[Subscription<'static>] = &[Subscription {
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
        ..Subscription::new("f", Qos::ExactlyOnce)
    }];
    any(ALL)
}

pub fn connect() -> Connect<'static> {
    Connect {
        version: any(Version::DEFAULT),
        clean_session: any(true),
        keep_alive: any(60),
        will: any(Some(message())),
        credentials: any(Some(Credentials {
            user_name: any("user"),
            password: any(Some(b"password")),
        })),
        properties: property_list(),
        oversize: any(Oversize::Stream),
        connack_timeout: any(1),
        ping_timeout: any(1),
        ..Connect::new(any("client"))
    }
}

/// A clock that tells anything.
#[derive(Clone, Copy)]
pub struct Clock;

impl umqtt::Clock for Clock {
    fn now(&self) -> Instant {
        now()
    }
}

/// A transport that does anything, also what none may do.
pub struct Transport;

impl ErrorType for Transport {
    type Error = ErrorKind;
}

pub fn moved(count: usize) -> Result<usize, ErrorKind> {
    any(Ok(count))
}

impl embedded_io::Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        moved(any(buffer).len())
    }
}

impl embedded_io::Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        moved(any(bytes).len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        any(Ok(()))
    }
}

impl ReadReady for Transport {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        any(Ok(true))
    }
}
