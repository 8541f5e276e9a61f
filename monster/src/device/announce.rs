//! The device as Home Assistant knows it: announced in pieces, since the message is larger than the
//! send buffer; and forgotten, with everything else that the broker keeps.

use umqtt::{Publish, Qos};

use super::speak::{NoRoom, as_taken};
use super::{Device, IN_FLIGHT};
use crate::dialogue::topics::Topic;
use crate::homeassistant::Discovery;
use crate::settings::value::{ClimateKind, LogLevel};

/// What the broker keeps of the device.
const RETAINED: [Topic; 5] = [
    Topic::Discovery,
    Topic::Switch,
    Topic::Climate,
    Topic::Diagnostics,
    Topic::Status,
];

impl Device<'_> {
    /// Tells Home Assistant what the device is, if it is spoken to. If it is not, it may have been before: what the
    /// broker keeps of that is cleared, once, since a broker may not like the topic.
    pub(super) fn announce(&mut self) -> Result<(), NoRoom> {
        if self.news.discovery && !self.settings.has_home_assistant() && !self.withdrawn {
            self.keep_informed(Topic::Discovery, &[])?;
            self.withdrawn = true;
        }
        if self.news.discovery && self.settings.has_home_assistant() {
            if self.in_flight >= IN_FLIGHT {
                return Err(NoRoom);
            }
            let name = self.topics().name(Topic::Discovery);
            let message = Publish::new(&name, &[]).qos(Qos::AtLeastOnce).retained();
            let length = self.discovery().length();
            let session = &mut self.session;
            let begun = as_taken(&message, |message| session.publish_stream(message, length));
            self.announced = begun.ok().flatten();
            if self.queued(&name, begun)? {
                self.discovery = length;
                self.log
                    .add(LogLevel::Debug, format_args!("-> {name} ({length} bytes)"));
            }
        }
        self.news.discovery = false;
        self.go_on_announcing()
    }

    /// Puts as much of the message that is on its way as there is room for.
    pub(super) fn go_on_announcing(&mut self) -> Result<(), NoRoom> {
        loop {
            let missing = self.session.stream_missing();
            if missing == 0 {
                return Ok(());
            }
            let position = self.discovery.saturating_sub(missing);
            let discovery = Discovery {
                id: &self.id,
                has_sensor: self.has_sensor(),
            };
            match discovery.piece(position, self.session.stream_buffer()) {
                0 => {
                    self.blocked = true;
                    return Err(NoRoom);
                }
                count => self.session.streamed(count),
            }
        }
    }

    fn has_sensor(&self) -> bool {
        self.settings.climate != ClimateKind::None
    }

    fn discovery(&self) -> Discovery<'_> {
        Discovery {
            id: &self.id,
            has_sensor: self.has_sensor(),
        }
    }

    /// Clears, before everything is forgotten, what the broker keeps.
    pub(super) fn clear_retained(&mut self) -> Result<(), NoRoom> {
        while let Some(topic) = RETAINED.get(usize::from(self.news.cleared)) {
            if *topic != Topic::Discovery || self.settings.has_home_assistant() {
                self.keep_informed(*topic, &[])?;
            }
            self.news.cleared += 1;
        }
        Ok(())
    }
}
