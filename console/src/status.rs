//! How the device is: what the console was told last, and how that is said.

use core::fmt::{self, Write};

use heapless::String;
use monster::climate::Outcome;
use monster::device::{ConnectionState, Device, LastPress, REASON_MAX};
use monster::settings::HOST_MAX;
use monster::{Diagnostics, button::ButtonEvent};
use umqtt::Instant;

use crate::json::Text;

/// The longest broker, as it is shown, in bytes.
const BROKER_MAX: usize = "mqtts://[]:65535".len() + HOST_MAX;

/// How the device was at one moment.
pub(crate) struct Status {
    pub at: Instant,
    pub on: bool,
    pub press: Option<LastPress>,
    pub has_climate: bool,
    pub climate: Option<Outcome>,
    /// In seconds; none if there is no reading.
    pub climate_age: Option<u64>,
    pub state: ConnectionState,
    pub broker: Option<String<BROKER_MAX>>,
    pub reason: Option<String<REASON_MAX>>,
    /// In milliseconds.
    pub retry_in: Option<u64>,
    pub diagnostics: Diagnostics,
}

impl Status {
    pub fn of(device: &Device<'_>, now: Instant) -> Self {
        let connection = device.connection(now);
        Status {
            at: now,
            on: device.switch_is_on(),
            press: device.last_press(now),
            has_climate: device.has_climate(),
            climate: device.climate(),
            climate_age: device.climate_age(now),
            state: connection.state,
            broker: connection.broker.map(|url| {
                let mut text = String::new();
                let _ = write!(text, "{url}");
                text
            }),
            reason: connection
                .reason
                .map(|reason| String::try_from(reason).unwrap_or_default()),
            retry_in: connection.retry_in,
            diagnostics: device.diagnostics(now),
        }
    }

    /// Whether there is something that a person who watches should see at once.
    pub fn is_news_after(&self, before: &Status) -> bool {
        let press = |status: &Status| {
            status
                .press
                .map(|press| (press.event, status.at.as_millis().saturating_sub(press.age)))
        };
        self.on != before.on
            || press(self) != press(before)
            || self.climate != before.climate
            || self.state != before.state
            || self.reason != before.reason
            || self.diagnostics.ip != before.diagnostics.ip
    }

    /// As the API has it; `now` is later than `at`.
    pub fn json<'a>(&'a self, about: About<'a>, now: Instant) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            let since = now.since(self.at) / 1000;
            let About { id, board } = about;
            write!(
                f,
                r#"{{"id":"{id}","name":"Monster-{id}","version":"{}","board":"{board}","switch":"{}","button":"#,
                env!("CARGO_PKG_VERSION"),
                on_off(self.on)
            )?;
            match self.press {
                None => f.write_str("null")?,
                Some(press) => write!(
                    f,
                    r#"{{"event":"{}","age":{}}}"#,
                    press_word(press.event),
                    press.age / 1000 + since
                )?,
            }
            f.write_str(r#","climate":"#)?;
            match self.climate {
                None => f.write_str("null")?,
                Some(Ok(reading)) => write!(
                    f,
                    r#"{{"temperature":{},"humidity":{},"age":{}}}"#,
                    reading.celsius(),
                    reading.percent(),
                    self.climate_age.unwrap_or_default() + since
                )?,
                Some(Err(error)) => write!(
                    f,
                    r#"{{"temperature":null,"humidity":null,"error":"{error}"}}"#
                )?,
            }
            let retry_in = self
                .retry_in
                .map(|wait| wait.saturating_sub(now.since(self.at)).div_ceil(1000));
            write!(
                f,
                r#","connection":{{"state":"{}","broker":{},"reason":{},"retry_in":{}}}"#,
                self.state.as_str(),
                OrNull(self.broker.as_deref().map(Text)),
                OrNull(self.reason.as_deref().map(Text)),
                OrNull(retry_in)
            )?;
            let diagnostics = &self.diagnostics;
            let counters = &diagnostics.counters;
            write!(
                f,
                r#","diag":{{"uptime":{},"reset":"{}","boots":{},"reconnects":{},"drops":{},"rejected":{},"retained_ignored":{}"#,
                diagnostics.uptime + since,
                diagnostics.reset.as_str(),
                diagnostics.boots,
                counters.reconnects,
                counters.drops,
                counters.rejected,
                counters.retained_ignored
            )?;
            write!(
                f,
                r#","ping_ms":{},"free":{},"rssi":{},"ip":"#,
                OrNull(diagnostics.ping),
                OrNull(diagnostics.vitals.free),
                OrNull(diagnostics.vitals.rssi)
            )?;
            match diagnostics.ip {
                None => f.write_str("null}}"),
                Some(ip) => write!(f, r#""{ip}"}}}}"#),
            }
        })
    }
}

/// What does not change while a device runs.
#[derive(Clone, Copy)]
pub(crate) struct About<'a> {
    pub id: &'a str,
    pub board: &'a str,
}

pub(crate) fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

pub(crate) fn press_word(event: ButtonEvent) -> &'static str {
    match event {
        ButtonEvent::Single => "single",
        ButtonEvent::Double => "double",
        ButtonEvent::Long => "long",
    }
}

/// A value, or JSON's word for none.
pub(crate) struct OrNull<T>(pub Option<T>);

impl<T: fmt::Display> fmt::Display for OrNull<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("null"),
            Some(value) => value.fmt(f),
        }
    }
}
