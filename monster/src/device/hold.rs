//! What a hold of the button does, and what the status LED shows of it and of all else.

use umqtt::Instant;

use super::{Device, End};
use crate::button::{HOLD_ACCESS_POINT_MS, HOLD_FACTORY_RESET_MS, LONG_MS};
use crate::led::Pattern;
use crate::settings::value::LogLevel;

/// What a hold of the button has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing; it may not be held at all.
    #[default]
    Nothing,
    /// The access point was asked for.
    AccessPoint,
    /// Everything is to be forgotten.
    FactoryReset,
}

impl Device<'_> {
    /// Does what the button has been held long enough for.
    pub(super) fn advance_hold(&mut self, now: Instant) {
        let Some(held) = self.button.held_for(now) else {
            self.held = Held::Nothing;
            return;
        };
        if held >= HOLD_ACCESS_POINT_MS && self.held == Held::Nothing {
            self.held = Held::AccessPoint;
            self.log.add(
                LogLevel::Info,
                format_args!("the button asks for the access point"),
            );
            self.access_point.request(now);
        }
        if held >= HOLD_FACTORY_RESET_MS && self.held == Held::AccessPoint {
            self.held = Held::FactoryReset;
            self.log.add(
                LogLevel::Warn,
                format_args!("the button was held for 10 s: forgetting everything"),
            );
            self.part(End::FactoryReset, now);
        }
    }

    /// When the hold does something, or the LED changes. `poll` has been called since the last of both.
    pub(super) fn hold_deadline(&self) -> Option<Instant> {
        let next = match self.held {
            Held::Nothing => HOLD_ACCESS_POINT_MS,
            Held::AccessPoint => HOLD_FACTORY_RESET_MS,
            Held::FactoryReset => return self.led_deadline,
        };
        let hold = self.button.held_since().map(|since| since.after(next));
        let leds = [hold, self.led_deadline];
        leds.into_iter().flatten().min()
    }

    /// How the status LED is.
    pub(super) fn pattern(&self, now: Instant) -> Pattern {
        let since = self.button.held_since();
        let held = self.button.held_for(now).unwrap_or(0);
        match (since, self.held) {
            (Some(since), Held::Nothing) if held >= LONG_MS => Pattern::access_point_next(since),
            (Some(since), Held::AccessPoint) => Pattern::factory_reset_next(since),
            (_, Held::FactoryReset) => Pattern::Steady(true),
            _ => self.identify.pattern(now).unwrap_or({
                if self.access_point.is_up() {
                    Pattern::access_point()
                } else {
                    Pattern::Steady(!self.is_online())
                }
            }),
        }
    }
}
