//! The switch: what it does on a command, at boot, at the end of a pulse, and what it remembers.

use core::fmt;

use umqtt::Instant;

use crate::settings::value::PowerOn;

/// The shortest pulse, in milliseconds.
pub const SHORTEST_PULSE_MS: u32 = 50;
/// The longest pulse, in milliseconds.
pub const LONGEST_PULSE_MS: u32 = 600_000;
/// The least time between two writes of the state to flash, in milliseconds.
pub const SAVE_INTERVAL_MS: u64 = 60_000;

/// A switch, between the commands that reach it and the pin that it moves.
///
/// After every call that takes `&mut self` and the time, look at [`level`](Self::level),
/// [`save_due`](Self::save_due) and [`deadline`](Self::deadline) again.
///
/// No call panics.
#[derive(Clone, Debug)]
pub struct Switch {
    on: bool,
    inverted: bool,
    /// When the pulse that is running ends.
    pulse_end: Option<Instant>,
    /// None when the state is not to be remembered.
    memory: Option<Memory>,
}

impl Switch {
    /// The switch as it is right after boot.
    ///
    /// `restored` is the state that was last [`saved`](Self::saved), if one was. If none was, all
    /// but [`PowerOn::Off`] begin with on, as the default does.
    pub fn new(power_on: PowerOn, inverted: bool, restored: Option<bool>) -> Self {
        Switch {
            on: match power_on {
                PowerOn::On => true,
                PowerOn::Off => false,
                PowerOn::Restore => restored.unwrap_or(true),
                PowerOn::Toggle => restored.is_none_or(|on| !on),
            },
            inverted,
            pulse_end: None,
            memory: match power_on {
                PowerOn::On | PowerOn::Off => None,
                PowerOn::Restore => Some(Memory {
                    // Nothing stored already means on: that need not be written.
                    stored: Some(restored.unwrap_or(true)),
                    written: None,
                }),
                PowerOn::Toggle => Some(Memory {
                    stored: restored,
                    written: None,
                }),
            },
        }
    }

    /// The logical state: what is reported as `on` or `off`.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// The level of the pin: true is high. Only here does `inverted` count.
    #[must_use]
    pub fn level(&self) -> bool {
        self.on != self.inverted
    }

    /// Carries out a command, which ends a pulse that is running.
    ///
    /// True if the state is another one than before the call.
    pub fn apply(&mut self, command: SwitchCommand, now: Instant) -> bool {
        let before = self.on;
        // A pulse that is over but not yet noticed must not turn a toggle round.
        self.handle_timeout(now);
        self.pulse_end = None;
        self.on = match command {
            SwitchCommand::On => true,
            SwitchCommand::Off => false,
            SwitchCommand::Toggle => !self.on,
            SwitchCommand::Pulse(length) => {
                self.pulse_end = Some(now.after(u64::from(length.as_millis())));
                true
            }
        };
        self.on != before
    }

    /// Ends the pulse whose time has come. True if that changed the state.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        let over = self.pulse_end.is_some_and(|end| now >= end);
        if over {
            self.pulse_end = None;
            self.on = false;
        }
        over
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) and [`save_due`](Self::save_due); in the
    /// past if a save is due already.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match (self.pulse_end, self.save_at()) {
            (Some(end), Some(save)) => Some(end.min(save)),
            (end, save) => end.or(save),
        }
    }

    /// The state to write to flash, if it is time to.
    ///
    /// Only [`PowerOn::Restore`] and [`PowerOn::Toggle`] ever write, and at most once a minute. It
    /// stays due until [`saved`](Self::saved) or [`save_failed`](Self::save_failed).
    ///
    /// A pulse is written as what it ends in, off: power that comes back must not leave on what
    /// was to be on for a moment.
    #[must_use]
    pub fn save_due(&self, now: Instant) -> Option<bool> {
        self.save_at()
            .is_some_and(|at| now >= at)
            .then_some(self.lasting())
    }

    /// The state to write to flash before a restart, if what is there is another.
    #[must_use]
    pub fn unsaved(&self) -> Option<bool> {
        self.save_at().map(|_| self.lasting())
    }

    /// `state` is in flash.
    pub fn saved(&mut self, state: bool, now: Instant) {
        if let Some(memory) = &mut self.memory {
            memory.stored = Some(state);
            memory.written = Some(now);
        }
    }

    /// Writing has failed; it is due again in a minute.
    pub fn save_failed(&mut self, now: Instant) {
        if let Some(memory) = &mut self.memory {
            memory.written = Some(now);
        }
    }

    /// The state without the pulse.
    fn lasting(&self) -> bool {
        self.on && self.pulse_end.is_none()
    }

    fn save_at(&self) -> Option<Instant> {
        let memory = self.memory.as_ref()?;
        (memory.stored != Some(self.lasting())).then(|| {
            memory
                .written
                .map_or(Instant::ZERO, |written| written.after(SAVE_INTERVAL_MS))
        })
    }
}

/// What flash knows of the switch.
#[derive(Clone, Debug)]
struct Memory {
    stored: Option<bool>,
    /// When it was last written since boot.
    written: Option<Instant>,
}

/// A command to the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SwitchCommand {
    /// Go on and stay on.
    On,
    /// Go off.
    Off,
    /// Go to the other state.
    Toggle,
    /// Be on for so long from now, whatever the state is now, then go off.
    Pulse(PulseLength),
}

impl SwitchCommand {
    /// Reads `on`, `off`, `toggle` or `pulse <ms>`: exactly so, in lower case, with one space.
    pub fn parse(text: &str) -> Result<Self, CommandError> {
        match text {
            "on" => Ok(SwitchCommand::On),
            "off" => Ok(SwitchCommand::Off),
            "toggle" => Ok(SwitchCommand::Toggle),
            "pulse" => Err(CommandError::PulseLength),
            _ => {
                let digits = text.strip_prefix("pulse ").ok_or(CommandError::Unknown)?;
                // `parse` alone would take a sign.
                if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(CommandError::PulseLength);
                }
                let ms = digits.parse().map_err(|_| CommandError::PulseLength)?;
                PulseLength::from_millis(ms).map(SwitchCommand::Pulse)
            }
        }
    }
}

/// How long a pulse is: 50 to 600000 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PulseLength(u32);

impl PulseLength {
    /// A pulse of `ms` milliseconds, from [`SHORTEST_PULSE_MS`] to [`LONGEST_PULSE_MS`].
    pub const fn from_millis(ms: u32) -> Result<Self, CommandError> {
        if ms >= SHORTEST_PULSE_MS && ms <= LONGEST_PULSE_MS {
            Ok(PulseLength(ms))
        } else {
            Err(CommandError::PulseLength)
        }
    }

    /// The length in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u32 {
        self.0
    }
}

/// Why a text is not a command to the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// No such command.
    Unknown,
    /// The length of the pulse is missing, not a number, or out of range.
    PulseLength,
}

impl fmt::Display for CommandError {
    /// One line that is safe inside a JSON string: no quotes, no backslash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::Unknown => {
                f.write_str("unknown command; allowed are on, off, toggle, pulse <ms>")
            }
            CommandError::PulseLength => write!(
                f,
                "a pulse is pulse <ms> with {SHORTEST_PULSE_MS} to {LONGEST_PULSE_MS} ms"
            ),
        }
    }
}

impl core::error::Error for CommandError {}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;
    use crate::random::Random;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn pulse(ms: u32) -> SwitchCommand {
        SwitchCommand::Pulse(PulseLength::from_millis(ms).unwrap())
    }

    fn switch(on: bool) -> Switch {
        Switch::new(if on { PowerOn::On } else { PowerOn::Off }, false, None)
    }

    #[test]
    fn at_boot_the_state_is_the_one_the_setting_says() {
        for (power_on, restored, on) in [
            (PowerOn::On, None, true),
            (PowerOn::On, Some(false), true),
            (PowerOn::Off, Some(true), false),
            (PowerOn::Off, None, false),
            (PowerOn::Restore, Some(true), true),
            (PowerOn::Restore, Some(false), false),
            (PowerOn::Restore, None, true),
            (PowerOn::Toggle, Some(true), false),
            (PowerOn::Toggle, Some(false), true),
            (PowerOn::Toggle, None, true),
        ] {
            let switch = Switch::new(power_on, false, restored);
            assert_eq!(switch.is_on(), on, "{power_on:?} {restored:?}");
        }
    }

    #[test]
    fn inverted_changes_the_pin_and_nothing_else() {
        let mut straight = Switch::new(PowerOn::On, false, None);
        let mut inverted = Switch::new(PowerOn::On, true, None);
        assert!(straight.level());
        assert!(!inverted.level());
        for command in [
            SwitchCommand::Toggle,
            SwitchCommand::On,
            pulse(100),
            SwitchCommand::Off,
        ] {
            straight.apply(command, at(0));
            inverted.apply(command, at(0));
            assert_eq!(straight.is_on(), inverted.is_on());
            assert_eq!(straight.level(), straight.is_on());
            assert_eq!(inverted.level(), !inverted.is_on());
        }
    }

    #[test]
    fn commands_change_the_state_and_say_whether_they_did() {
        let mut switch = switch(true);
        assert!(!switch.apply(SwitchCommand::On, at(0)));
        assert!(switch.apply(SwitchCommand::Off, at(1)));
        assert!(!switch.apply(SwitchCommand::Off, at(2)));
        assert!(switch.apply(SwitchCommand::Toggle, at(3)));
        assert!(switch.is_on());
        assert!(switch.apply(SwitchCommand::Toggle, at(4)));
        assert!(!switch.is_on());
        assert_eq!(switch.deadline(), None);
    }

    #[test]
    fn the_first_toggle_after_boot_gives_off() {
        let mut switch = Switch::new(PowerOn::On, false, None);
        switch.apply(SwitchCommand::Toggle, at(0));
        assert!(!switch.is_on());
    }

    #[test]
    fn a_pulse_is_on_for_its_length_and_then_off_whatever_was_before() {
        for was_on in [false, true] {
            let mut switch = switch(was_on);
            assert_eq!(switch.apply(pulse(500), at(1000)), !was_on);
            assert!(switch.is_on());
            assert_eq!(switch.deadline(), Some(at(1500)));
            assert!(!switch.handle_timeout(at(1499)));
            assert!(switch.is_on());
            assert!(switch.handle_timeout(at(1500)));
            assert!(!switch.is_on());
            assert_eq!(switch.deadline(), None);
            assert!(!switch.handle_timeout(at(1501)));
        }
    }

    #[test]
    fn a_later_command_cancels_the_pulse() {
        for (command, on_after) in [
            (SwitchCommand::On, true),
            (SwitchCommand::Off, false),
            (SwitchCommand::Toggle, false),
        ] {
            let mut switch = switch(false);
            switch.apply(pulse(500), at(0));
            switch.apply(command, at(100));
            assert_eq!(switch.deadline(), None);
            assert!(!switch.handle_timeout(at(500)));
            assert_eq!(switch.is_on(), on_after);
        }
    }

    #[test]
    fn a_second_pulse_counts_from_its_own_start() {
        let mut switch = switch(false);
        switch.apply(pulse(500), at(0));
        assert!(!switch.apply(pulse(500), at(400)));
        assert!(!switch.handle_timeout(at(500)));
        assert!(switch.handle_timeout(at(900)));
    }

    #[test]
    fn a_toggle_after_a_pulse_that_nobody_ended_goes_on() {
        let mut switch = switch(false);
        switch.apply(pulse(500), at(0));
        assert!(!switch.apply(SwitchCommand::Toggle, at(600)));
        assert!(switch.is_on());
    }

    #[test]
    fn on_and_off_never_write_to_flash() {
        for power_on in [PowerOn::On, PowerOn::Off] {
            let mut switch = Switch::new(power_on, false, Some(false));
            for ms in 0..10 {
                switch.apply(SwitchCommand::Toggle, at(ms * 100_000));
                assert_eq!(switch.save_due(at(u64::MAX)), None);
                assert_eq!(switch.deadline(), None);
                switch.saved(true, at(ms));
            }
        }
    }

    #[test]
    fn the_first_change_is_written_at_once_and_the_next_a_minute_later() {
        let mut switch = Switch::new(PowerOn::Restore, false, Some(true));
        assert_eq!(switch.save_due(at(0)), None);
        switch.apply(SwitchCommand::Off, at(10));
        assert_eq!(switch.save_due(at(10)), Some(false));
        switch.saved(false, at(10));
        assert_eq!(switch.deadline(), None);

        switch.apply(SwitchCommand::On, at(20));
        assert_eq!(switch.save_due(at(60_009)), None);
        assert_eq!(switch.deadline(), Some(at(60_010)));
        assert_eq!(switch.save_due(at(60_010)), Some(true));
    }

    #[test]
    fn a_change_that_was_taken_back_is_not_written() {
        let mut switch = Switch::new(PowerOn::Restore, false, Some(true));
        switch.apply(SwitchCommand::Off, at(0));
        switch.saved(false, at(0));
        switch.apply(SwitchCommand::On, at(10));
        switch.apply(SwitchCommand::Off, at(20));
        assert_eq!(switch.save_due(at(100_000)), None);
    }

    #[test]
    fn a_state_that_changed_while_it_was_written_is_written_again() {
        let mut switch = Switch::new(PowerOn::Restore, false, Some(true));
        switch.apply(SwitchCommand::Off, at(0));
        let state = switch.save_due(at(0)).unwrap();
        switch.apply(SwitchCommand::On, at(1));
        switch.saved(state, at(2));
        assert_eq!(switch.save_due(at(60_002)), Some(true));
    }

    #[test]
    fn a_write_that_failed_is_tried_again_a_minute_later() {
        let mut switch = Switch::new(PowerOn::Restore, false, Some(true));
        switch.apply(SwitchCommand::Off, at(0));
        switch.save_failed(at(0));
        assert_eq!(switch.save_due(at(59_999)), None);
        assert_eq!(switch.save_due(at(60_000)), Some(false));
    }

    #[test]
    fn toggle_at_power_on_writes_its_new_state_so_that_the_next_boot_inverts_it_again() {
        let mut stored = None;
        for expected in [true, false, true, false] {
            let mut switch = Switch::new(PowerOn::Toggle, false, stored);
            assert_eq!(switch.is_on(), expected);
            let state = switch.save_due(at(0)).unwrap();
            switch.saved(state, at(0));
            stored = Some(state);
        }
    }

    #[test]
    fn a_pulse_is_never_stored_as_on() {
        let mut switch = Switch::new(PowerOn::Restore, false, Some(false));
        switch.apply(pulse(600_000), at(0));
        assert_eq!(switch.save_due(at(599_999)), None);
        switch.handle_timeout(at(600_000));
        assert_eq!(switch.save_due(at(600_000)), None);

        let mut switch = Switch::new(PowerOn::Restore, false, Some(true));
        switch.apply(pulse(1000), at(0));
        assert_eq!(switch.save_due(at(0)), Some(false));
    }

    #[test]
    fn the_words_of_the_contract_are_read() {
        for (text, command) in [
            ("on", SwitchCommand::On),
            ("off", SwitchCommand::Off),
            ("toggle", SwitchCommand::Toggle),
            ("pulse 50", pulse(50)),
            ("pulse 600000", pulse(600_000)),
            ("pulse 0500", pulse(500)),
        ] {
            assert_eq!(SwitchCommand::parse(text), Ok(command), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        for text in [
            "",
            "On",
            "ON",
            " on",
            "on ",
            "on\n",
            "1",
            "pulse500",
            "pulses",
            "pulse\t500",
        ] {
            assert_eq!(
                SwitchCommand::parse(text),
                Err(CommandError::Unknown),
                "{text:?}"
            );
        }
        for text in [
            "pulse",
            "pulse ",
            "pulse  500",
            "pulse 500 ",
            "pulse 49",
            "pulse 600001",
            "pulse 0",
            "pulse -500",
            "pulse +500",
            "pulse 1e3",
            "pulse 5.5",
            "pulse 4294967796",
            "pulse 99999999999999999999999",
            "pulse ५००",
        ] {
            assert_eq!(
                SwitchCommand::parse(text),
                Err(CommandError::PulseLength),
                "{text:?}"
            );
        }
    }

    #[test]
    fn errors_say_what_is_allowed() {
        assert_eq!(
            CommandError::Unknown.to_string(),
            "unknown command; allowed are on, off, toggle, pulse <ms>"
        );
        assert_eq!(
            CommandError::PulseLength.to_string(),
            "a pulse is pulse <ms> with 50 to 600000 ms"
        );
    }

    #[test]
    fn any_order_of_calls_keeps_the_promises() {
        let mut random = Random::new(8);
        for power_on in [PowerOn::On, PowerOn::Off, PowerOn::Restore, PowerOn::Toggle] {
            let mut switch = Switch::new(power_on, random.up_to(1) == 1, None);
            let mut now = 0;
            let mut last_write: Option<u64> = None;
            for step in 0..50_000 {
                now += u64::from(random.up_to(20_000));
                let before = switch.is_on();
                let changed = match random.up_to(5) {
                    0 => switch.apply(SwitchCommand::On, at(now)),
                    1 => switch.apply(SwitchCommand::Off, at(now)),
                    2 => switch.apply(SwitchCommand::Toggle, at(now)),
                    3 => switch.apply(pulse(50 + random.up_to(599_950)), at(now)),
                    _ => switch.handle_timeout(at(now)),
                };
                assert_eq!(changed, switch.is_on() != before, "step {step}");
                if let Some(state) = switch.save_due(at(now)) {
                    assert!(last_write.is_none_or(|last| now - last >= SAVE_INTERVAL_MS));
                    last_write = Some(now);
                    if random.up_to(3) == 0 {
                        switch.save_failed(at(now));
                    } else {
                        switch.saved(state, at(now));
                    }
                }
                assert!(switch.deadline().is_none_or(|deadline| deadline > at(now)));
            }
        }
    }

    #[test]
    fn the_ends_of_time_and_time_going_backwards_do_not_panic() {
        let mut switch = Switch::new(PowerOn::Restore, false, Some(false));
        for now in [u64::MAX, 0, u64::MAX - 1, 1] {
            switch.apply(pulse(600_000), at(now));
            switch.handle_timeout(at(now));
            switch.saved(true, at(now));
            let _ = switch.save_due(at(now));
            let _ = switch.deadline();
        }
    }
}
