//! Payloads as they go out.

use core::fmt::{self, Write};
use core::net::IpAddr;

use heapless::String;

use crate::button::ButtonEvent;
use crate::climate::Outcome;
use crate::device::{ResetReason, Vitals};
use crate::dialogue::command::Reason;
use crate::memory::{CommandId, StoreFault};

/// The longest payload, in bytes.
pub(crate) const PAYLOAD_MAX: usize = 384;

pub(crate) type Payload = String<PAYLOAD_MAX>;

/// `on` or `off`.
pub(crate) fn state(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// Temperature and humidity, or what kept them from being measured.
pub(crate) fn climate(outcome: Outcome, age: u64) -> Payload {
    let mut out = Payload::new();
    let _ = match outcome {
        Ok(reading) => write!(
            out,
            r#"{{"temperature":{},"humidity":{},"age":{age}}}"#,
            reading.celsius(),
            reading.percent()
        ),
        Err(error) => write!(
            out,
            r#"{{"temperature":null,"humidity":null,"error":"{}"}}"#,
            error.as_str()
        ),
    };
    out
}

/// What the button did.
pub(crate) fn button(event: ButtonEvent) -> &'static str {
    match event {
        ButtonEvent::Single => r#"{"event_type":"single"}"#,
        ButtonEvent::Double => r#"{"event_type":"double"}"#,
        ButtonEvent::Long => r#"{"event_type":"long"}"#,
    }
}

/// What is answered to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was carried out; the switch's state after it.
    State(bool),
    /// What was measured.
    Climate(Outcome),
    /// It was not carried out, and why.
    Failed(Failure),
}

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is none.
    Rejected(Reason),
    /// It was not stored.
    NotStored,
    NoSensor,
    /// Too many wait for a measurement.
    Crowd,
}

impl fmt::Display for Failure {
    /// Safe inside a JSON string: no quotes, no backslash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::Rejected(reason) => return reason.fmt(f),
            Failure::NotStored => "the command could not be stored, and was not carried out",
            Failure::NoSensor => "there is no sensor",
            Failure::Crowd => "too many are waiting for a measurement",
        })
    }
}

/// An answer to a command, with the id it came with.
pub(crate) fn reply(id: Option<&CommandId>, answer: &Answer) -> Payload {
    let mut out = Payload::new();
    let _ = out.push('{');
    if let Some(id) = id {
        let _ = write!(out, r#""id":"{id}","#);
    }
    let _ = match answer {
        Answer::State(on) => write!(out, r#""ok":true,"state":"{}"}}"#, state(*on)),
        Answer::Climate(Ok(reading)) => write!(
            out,
            r#""ok":true,"temperature":{},"humidity":{}}}"#,
            reading.celsius(),
            reading.percent()
        ),
        Answer::Climate(Err(error)) => {
            write!(out, r#""ok":false,"error":"{}"}}"#, error.as_str())
        }
        Answer::Failed(why) => write!(out, r#""ok":false,"error":"{why}"}}"#),
    };
    out
}

/// Numbers that only grow, since boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sessions after the first.
    pub reconnects: u32,
    /// Events that were not told: too old, or too many.
    pub drops: u32,
    /// Messages that were no command.
    pub rejected: u32,
    /// Commands that were not obeyed because they came with RETAIN set.
    pub retained_ignored: u32,
}

/// What the device tells of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    /// Seconds since boot.
    pub uptime: u64,
    /// Why it started.
    pub reset: ResetReason,
    /// How often it has started, this time included.
    pub boots: u32,
    /// What it has counted.
    pub counters: Counters,
    /// Milliseconds that the last PINGREQ took.
    pub ping: Option<u32>,
    /// What is wrong with its store.
    pub store: Option<StoreFault>,
    /// What its board knows.
    pub vitals: Vitals,
    /// The address it last had towards the broker.
    pub ip: Option<IpAddr>,
}

impl Diagnostics {
    pub(crate) fn payload(&self) -> Payload {
        let mut out = Payload::new();
        let Counters {
            reconnects,
            drops,
            rejected,
            retained_ignored,
        } = self.counters;
        let _ = write!(
            out,
            r#"{{"uptime":{},"reset":"{}","boots":{},"reconnects":{reconnects},"drops":{drops},"rejected":{rejected},"retained_ignored":{retained_ignored}"#,
            self.uptime,
            self.reset.as_str(),
            self.boots
        );
        if let Some(fault) = self.store {
            let _ = write!(out, r#","store":"{}""#, fault.as_str());
        }
        if let Some(ping) = self.ping {
            let _ = write!(out, r#","ping_ms":{ping}"#);
        }
        if let Some(free) = self.vitals.free {
            let _ = write!(out, r#","free":{free}"#);
        }
        if let Some(rssi) = self.vitals.rssi {
            let _ = write!(out, r#","rssi":{rssi}"#);
        }
        if let Some(ip) = self.ip {
            let _ = write!(out, r#","ip":"{ip}""#);
        }
        let _ = write!(out, r#","version":"{}"}}"#, env!("CARGO_PKG_VERSION"));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dht::{Reading, SensorError};

    const READING: Reading = Reading {
        temperature: 234,
        humidity: 560,
    };

    #[test]
    fn climate_is_told_with_its_age_or_its_fault() {
        assert_eq!(
            climate(Ok(READING), 0),
            r#"{"temperature":23.4,"humidity":56.0,"age":0}"#
        );
        assert_eq!(
            climate(Err(SensorError::Timeout), 0),
            r#"{"temperature":null,"humidity":null,"error":"timeout"}"#
        );
    }

    #[test]
    fn replies_tell_the_id_and_the_outcome() {
        let id = CommandId::try_from("a1").unwrap();
        assert_eq!(
            reply(Some(&id), &Answer::State(true)),
            r#"{"id":"a1","ok":true,"state":"on"}"#
        );
        assert_eq!(
            reply(Some(&id), &Answer::Failed(Failure::NoSensor)),
            r#"{"id":"a1","ok":false,"error":"there is no sensor"}"#
        );
        assert_eq!(
            reply(Some(&id), &Answer::Climate(Ok(READING))),
            r#"{"id":"a1","ok":true,"temperature":23.4,"humidity":56.0}"#
        );
    }

    #[test]
    fn the_longest_diagnostics_fit() {
        let diagnostics = Diagnostics {
            uptime: u64::MAX,
            reset: ResetReason::Watchdog,
            boots: u32::MAX,
            counters: Counters {
                reconnects: u32::MAX,
                drops: u32::MAX,
                rejected: u32::MAX,
                retained_ignored: u32::MAX,
            },
            store: Some(StoreFault::Unreadable),
            ping: Some(u32::MAX),
            vitals: Vitals {
                free: Some(u32::MAX),
                rssi: Some(i8::MIN),
            },
            ip: Some(IpAddr::V6(core::net::Ipv6Addr::from([0xffff; 8]))),
        };
        let payload = diagnostics.payload();
        assert!(payload.ends_with("\"}"), "{payload}");
        assert!(payload.contains(r#""store":"unreadable""#));
        let without = Diagnostics {
            store: None,
            ping: None,
            vitals: Vitals::default(),
            ip: None,
            ..diagnostics
        };
        assert!(!without.payload().contains("null"));
    }
}
