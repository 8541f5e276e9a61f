//! The device and its connection: opened, greeted, subscribed, lost, parted from.

use core::fmt::{self, Write};
use core::net::IpAddr;

use heapless::String;
use umqtt::{Connect, Credentials, Error, Instant, Publish, Qos, ReasonCode, Version};

use super::{Device, End, REASON_MAX, ResetReason, take};
use crate::dialogue::topics::{Topic, Topics};
use crate::link::{
    CONNACK_TIMEOUT_MS, Link, OPEN_TIMEOUT_MS, PART_TIMEOUT_MS, PING_TIMEOUT_MS, RESTART_DELAY_MS,
    SUBACK_TIMEOUT_MS,
};
use crate::settings::BrokerAddress;
use crate::settings::value::{LogLevel, MqttSession, MqttVersion, OnFailure};

/// How the will is to be published; less than that, once the broker has said what it does not take.
pub(super) struct Will {
    qos: Qos,
    retain: bool,
}

impl Will {
    pub const WANTED: Will = Will {
        qos: Qos::AtLeastOnce,
        retain: true,
    };
}

impl Device<'_> {
    /// Goes on where a time has come; whether one has.
    pub(super) fn advance_link(&mut self, now: Instant) -> bool {
        match self.link {
            Link::Waiting(at) if at <= now => {
                self.log.add(
                    LogLevel::Debug,
                    format_args!("connecting to {}", Broker(self.settings.uplink.broker())),
                );
                self.wanted.connect = true;
                self.link = Link::Opening(now.after(OPEN_TIMEOUT_MS));
            }
            Link::Opening(at) if at <= now => {
                self.disconnected(format_args!("the broker does not answer"), now);
            }
            Link::Subscribing(_, at) if at <= now => {
                self.disconnected(format_args!("the broker did not answer SUBSCRIBE"), now);
            }
            Link::Parting(at) if at <= now => self.end(),
            Link::Failed(at) if at <= now => {
                self.wanted.end = Some(End::Restart(ResetReason::Failure));
                self.end();
            }
            _ => return false,
        }
        true
    }

    pub(super) fn connected(&mut self, ip: Option<IpAddr>, now: Instant) {
        if !matches!(self.link, Link::Opening(_)) {
            return;
        }
        self.ip = ip;
        let will_topic = self.topics().name(Topic::Status);
        let client_id = self.settings.mqtt.client_id.fill(&self.id);
        let connect = Connect {
            version: match self.settings.mqtt.version {
                MqttVersion::V3_1_1 => Version::V3_1_1,
                MqttVersion::V5 => Version::V5,
            },
            clean_session: self.settings.mqtt.session == MqttSession::Clean,
            keep_alive: self.settings.mqtt.keep_alive.seconds(),
            will: self.settings.structured.enabled.then(|| Publish {
                qos: self.will.qos,
                retain: self.will.retain,
                ..Publish::new(&will_topic, b"offline")
            }),
            credentials: self.settings.uplink.login().map(|login| Credentials {
                user_name: login.user,
                password: login.password.map(|password| password.expose().as_bytes()),
            }),
            connack_timeout: CONNACK_TIMEOUT_MS,
            ping_timeout: PING_TIMEOUT_MS,
            ..Connect::new(&client_id)
        };
        match self.session.connect(&connect, now) {
            Ok(()) => self.link = Link::Greeting,
            Err(error) => self.disconnected(format_args!("{error}"), now),
        }
    }

    /// The session ended the connection.
    pub(super) fn failed(&mut self, error: Error, now: Instant) {
        // A broker that does not take such a will takes none of our connections: ask for less.
        match error {
            Error::Refused(ReasonCode::QOS_NOT_SUPPORTED) => self.will.qos = Qos::AtMostOnce,
            Error::Refused(ReasonCode::RETAIN_NOT_SUPPORTED) => self.will.retain = false,
            _ => {}
        }
        self.disconnected(format_args!("{error}"), now);
    }

    /// The broker accepted the connection.
    pub(super) fn accepted(&mut self, now: Instant) {
        self.backoff.session_started(now);
        self.announced = None;
        // What was in flight still is, if the broker knows the session.
        self.in_flight = u8::try_from(self.session.in_flight()).unwrap_or(u8::MAX);
        self.blocked = false;
        let session = &mut self.session;
        let topics = Topics {
            id: &self.id,
            settings: &self.settings,
        };
        let subscribed = topics.subscribe(|all| session.subscribe(all));
        match subscribed {
            Ok(identifier) => {
                let storing = self.turn.pending().map(|it| it.deadline.since(now));
                let wait = SUBACK_TIMEOUT_MS + storing.unwrap_or(0);
                self.link = Link::Subscribing(identifier, now.after(wait));
            }
            Err(error) => self.disconnected(format_args!("SUBSCRIBE: {error}"), now),
        }
    }

    /// The broker answered SUBSCRIBE.
    pub(super) fn subscribed(&mut self, granted: usize, refused: usize, now: Instant) {
        if granted == 0 {
            self.disconnected(format_args!("the broker refused every subscription"), now);
            return;
        }
        if refused > 0 {
            self.log.add(
                LogLevel::Warn,
                format_args!("the broker refused {refused} of the subscriptions"),
            );
        }
        self.link = Link::Online;
        self.reason.clear();
        self.counters.reconnects += self.was_connected as u32;
        self.was_connected = true;
        self.news.connected(self.switch.is_on(), now);
        self.next_diagnostics = now;
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.connected(now);
        }
        self.log.add(
            LogLevel::Info,
            format_args!(
                "connected to {}, listening on {}",
                Broker(self.settings.uplink.broker()),
                Listening(Topics {
                    id: &self.id,
                    settings: &self.settings
                })
            ),
        );
    }

    /// There is no connection any more: the reason, and what comes next.
    pub(super) fn disconnected(&mut self, reason: fmt::Arguments<'_>, now: Instant) {
        if self.wanted.end.is_some() {
            self.end();
            return;
        }
        self.drop_connection(now);
        self.note_reason(reason);
        let on_failure = match self.on_trial {
            true => OnFailure::Retry,
            false => self.settings.on_failure,
        };
        let delay = match on_failure {
            OnFailure::Retry => {
                let delay = self.backoff.wait(now, &mut self.random).into();
                self.link = Link::Waiting(now.after(delay));
                delay
            }
            OnFailure::Restart => {
                self.link = Link::Failed(now.after(RESTART_DELAY_MS));
                RESTART_DELAY_MS
            }
        };
        self.log.add(
            LogLevel::Warn,
            format_args!(
                "no connection to {}: {reason}; {} in {}.{} s",
                Broker(self.settings.uplink.broker()),
                match on_failure {
                    OnFailure::Retry => "trying again",
                    OnFailure::Restart => "restarting",
                },
                delay / 1000,
                delay % 1000 / 100
            ),
        );
    }

    pub(super) fn network_down(&mut self, now: Instant) {
        if self.wanted.end.is_some() {
            self.end();
        } else if self.link != Link::Down && self.link != Link::Ended {
            self.drop_connection(now);
            self.link = Link::Down;
            self.note_reason(format_args!("the network is gone"));
            self.log
                .add(LogLevel::Warn, format_args!("the network is gone"));
        }
    }

    pub(super) fn wait_for_next_attempt(&mut self, now: Instant) {
        self.link = match self.settings.uplink.broker() {
            Some(_) => {
                let delay = self.backoff.wait(now, &mut self.random);
                Link::Waiting(now.after(delay.into()))
            }
            None => Link::NoBroker,
        };
        self.reason.clear();
        self.log
            .add(LogLevel::Info, format_args!("the network is back"));
    }

    /// Keeps why there is no connection, for those who ask.
    fn note_reason(&mut self, reason: fmt::Arguments<'_>) {
        self.reason.clear();
        // What does not fit is left out.
        let _ = Cut(&mut self.reason).write_fmt(reason);
    }

    /// Lets go of the connection, whatever state it is in.
    pub(super) fn drop_connection(&mut self, now: Instant) {
        self.session.closed();
        self.wanted.close |= self.link.is_open() && !take(&mut self.wanted.connect);
        self.backoff.session_ended(now);
        self.news.disconnected();
        self.turn.forget_answer();
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.disconnected();
        }
    }

    /// Says goodbye, then ends.
    pub(super) fn part(&mut self, end: End, now: Instant) {
        if self.link == Link::Ended {
            return;
        }
        self.wanted.end = Some(end);
        match self.link {
            Link::Online => {
                self.news.status = true;
                self.link = Link::Parting(now.after(PART_TIMEOUT_MS));
            }
            Link::Parting(_) => {}
            _ => self.end(),
        }
    }

    pub(super) fn end(&mut self) {
        self.session.closed();
        self.wanted.close |= self.link.is_open() && !take(&mut self.wanted.connect);
        self.link = Link::Ended;
    }
}

/// Takes as much of a text as fits.
struct Cut<'a>(&'a mut String<REASON_MAX, u8>);

impl Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars()
            .try_for_each(|character| self.0.push(character).map_err(|_| fmt::Error))
    }
}

/// The broker's address as the log shows it.
struct Broker<'a>(Option<&'a BrokerAddress>);

impl fmt::Display for Broker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(url) => url.fmt(f),
            None => f.write_str("the broker"),
        }
    }
}

/// The topics listened to, as the log shows them.
struct Listening<'a>(Topics<'a>);

impl fmt::Display for Listening<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.classic_in() {
            Some(name) => f.write_str(&name),
            None => write!(f, "monster/{}/#", self.0.id),
        }
    }
}
