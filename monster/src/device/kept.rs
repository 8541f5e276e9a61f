//! The MQTT session over restarts, where `mqtt.session` is `kept`.
//!
//! What it remembers beyond a connection is what was published at QoS 1 and not acknowledged. It is
//! stored at the end of a life, if there is any, and forgotten once all of it has arrived: so the store
//! is written at most twice for each restart, and as a rule not at all, since a device says all it has
//! to say before it restarts.
//!
//! A power cut finds nothing stored, and needs nothing: states are said anew after every start, a
//! command that was not acknowledged comes again, one with an id is carried out once
//! ([`memory`](crate::memory)), and a press of the button of nobody knows when must not be told.
//! Commands are asked for at QoS 1, so there are no messages of QoS 2 to be remembered.

use super::{Device, End, Output, SEND_BUFFER};
use crate::link::Link;
use crate::settings::value::{LogLevel, MqttSession};

/// Bytes that [`Device::session_image`] always fits into.
pub const SESSION_IMAGE: usize = SEND_BUFFER + 10;

/// What is known of the stored session.
#[derive(Default)]
pub(super) struct Kept {
    /// There is one in the store.
    is_stored: bool,
    /// It was stored at the end of this life.
    is_saved: bool,
}

impl Device<'_> {
    /// Goes on with the MQTT session that was stored, as [`session_image`](Self::session_image) wrote
    /// it. Call it before the first [`poll`](Self::poll), if there is one. One that is not wanted any
    /// more, or that cannot be read, is left out, and forgotten.
    pub fn restore_session(&mut self, image: &[u8]) {
        self.disturb();
        self.kept.is_stored = true;
        if self.settings.mqtt.session != MqttSession::Kept {
            return;
        }
        if let Err(error) = self.session.restore(image) {
            self.log.add(
                LogLevel::Warn,
                format_args!("the stored MQTT session is left out: {error}"),
            );
        }
    }

    /// With [`Output::SaveSession`]: writes the MQTT session to `image` and returns its length; `None`
    /// if it does not fit. [`SESSION_IMAGE`] bytes are enough with a send buffer of
    /// [`SEND_BUFFER`].
    pub fn session_image(&self, image: &mut [u8]) -> Option<usize> {
        self.session.snapshot(image)
    }

    /// What the store is to do with the session, if anything.
    pub(super) fn session_to_store(&mut self) -> Option<Output> {
        let is_end = matches!(self.wanted.end, Some(End::Stop | End::Restart(_)))
            && self.link == Link::Ended
            && self.settings.mqtt.session == MqttSession::Kept;
        let is_due = is_end && !self.kept.is_saved;
        if !is_due && !self.kept.is_stored {
            return None;
        }
        let remembers = self.session.in_flight() > 0;
        if remembers && is_due {
            self.kept = Kept {
                is_stored: true,
                is_saved: true,
            };
            return Some(Output::SaveSession);
        }
        if self.kept.is_stored && !remembers {
            self.kept.is_stored = false;
            return Some(Output::ForgetSession);
        }
        None
    }
}
