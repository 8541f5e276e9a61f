//! The button: from a level that bounces to single, double and long presses.

use umqtt::Instant;

/// A level counts once it has stayed the same for this long, in milliseconds.
pub const DEBOUNCE_MS: u64 = 50;
/// Two presses are a double one if the second begins sooner than this after the end of the first,
/// in milliseconds.
pub const DOUBLE_MS: u64 = 400;
/// A press is long from this hold on, in milliseconds.
pub const LONG_MS: u64 = 1_000;

/// A hold of this length brings up the access point, in milliseconds.
pub const HOLD_ACCESS_POINT_MS: u64 = 5_000;
/// A hold of this length makes the device forget everything, in milliseconds.
pub const HOLD_FACTORY_RESET_MS: u64 = 10_000;

/// What the person at the button did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ButtonEvent {
    /// Pressed and released within 1 s, and not pressed again for 400 ms.
    Single,
    /// Pressed again within 400 ms of the release. Comes with the second press.
    Double,
    /// Held for 1 s. Comes while it is still held; the release then is no event.
    Long,
}

/// A push button, told each change of its level.
///
/// The times of a press are those of its edges, not of the moment, 50 ms later, when the edge has
/// proved to be no bounce.
///
/// - The second press of a double one is spent: holding it is not a long press, and its release
///   is no event. A third press begins anew, so that three quick presses are `Double` and, after
///   400 ms, `Single`; four are two `Double`s.
/// - A button that is down at boot is stuck, or is held to start the chip's boot loader: it is
///   ignored until it has once been released.
///
/// Call [`handle_timeout`](Self::handle_timeout) when the [`deadline`](Self::deadline) has come;
/// the deadline may change with every call. If it is called late, the events come late, but they
/// are the same.
///
/// No call panics.
#[derive(Clone, Debug)]
pub struct Button {
    /// The level as it was last told, and since when it has been so.
    pressed: bool,
    edge: Instant,
    /// What the levels that lasted add up to.
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Down since boot.
    Stuck,
    /// Up, and nothing awaited.
    Idle,
    /// Down since then, and not yet long.
    Down(Instant),
    /// Up since then: a single press, unless another follows.
    Released(Instant),
    /// Down since then, with nothing more to come from it.
    Spent(Instant),
}

impl Phase {
    fn is_down(self) -> bool {
        match self {
            Phase::Stuck | Phase::Down(_) | Phase::Spent(_) => true,
            Phase::Idle | Phase::Released(_) => false,
        }
    }
}

impl Button {
    /// A button that is `pressed` (its pin is low) or not at boot.
    pub const fn new(pressed: bool) -> Self {
        Button {
            pressed,
            edge: Instant::ZERO,
            phase: if pressed { Phase::Stuck } else { Phase::Idle },
        }
    }

    /// The button is now `pressed` (its pin is low) or released. Telling the same level twice does
    /// no harm.
    #[must_use]
    pub fn handle_level(&mut self, pressed: bool, now: Instant) -> Option<ButtonEvent> {
        let event = self.handle_timeout(now);
        if pressed != self.pressed {
            self.pressed = pressed;
            self.edge = now;
        }
        event
    }

    /// Does what has become due by `now`.
    #[must_use]
    pub fn handle_timeout(&mut self, now: Instant) -> Option<ButtonEvent> {
        // An edge that lasted may be followed by what the new level leads to, and by no more: after
        // an event, the phase awaits another edge.
        while self.deadline().is_some_and(|deadline| now >= deadline) {
            let event = self.advance();
            if event.is_some() {
                return event;
            }
        }
        None
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.is_bouncing() {
            // Until it is known whether this edge lasts, nothing else is decided: a press just
            // before the 400 ms are over must be able to become the second of a double one.
            return Some(self.edge.after(DEBOUNCE_MS));
        }
        match self.phase {
            Phase::Down(since) => Some(since.after(LONG_MS)),
            Phase::Released(since) => Some(since.after(DOUBLE_MS)),
            Phase::Stuck | Phase::Idle | Phase::Spent(_) => None,
        }
    }

    /// For how many milliseconds the button has been held, if it is. A button that is stuck since
    /// boot is not held.
    #[must_use]
    pub fn held_for(&self, now: Instant) -> Option<u64> {
        match self.phase {
            // A release that is not yet known to last stops the count, lest a hold reach 10 s after
            // the finger has gone.
            Phase::Down(since) | Phase::Spent(since) if self.is_bouncing() => {
                Some(self.edge.since(since))
            }
            Phase::Down(since) | Phase::Spent(since) => Some(now.since(since)),
            Phase::Stuck | Phase::Idle | Phase::Released(_) => None,
        }
    }

    /// Since when the button has been held, if it is, and is not just being let go.
    #[must_use]
    pub fn held_since(&self) -> Option<Instant> {
        match self.phase {
            Phase::Down(since) | Phase::Spent(since) if !self.is_bouncing() => Some(since),
            _ => None,
        }
    }

    fn is_bouncing(&self) -> bool {
        self.pressed != self.phase.is_down()
    }

    /// Takes the step whose deadline has come.
    fn advance(&mut self) -> Option<ButtonEvent> {
        let bouncing = self.is_bouncing();
        let (phase, event) = match self.phase {
            Phase::Stuck => (Phase::Idle, None),
            Phase::Idle => (Phase::Down(self.edge), None),
            Phase::Down(_) if bouncing => (Phase::Released(self.edge), None),
            Phase::Down(since) => (Phase::Spent(since), Some(ButtonEvent::Long)),
            Phase::Released(_) if bouncing => (Phase::Spent(self.edge), Some(ButtonEvent::Double)),
            Phase::Released(_) => (Phase::Idle, Some(ButtonEvent::Single)),
            Phase::Spent(_) => (Phase::Idle, None),
        };
        self.phase = phase;
        event
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::random::Random;
    use ButtonEvent::{Double, Long, Single};

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    /// Plays changes of level, `(ms, pressed)`, and returns the events with the times at which a
    /// caller that keeps every deadline sees them.
    fn play(button: &mut Button, changes: &[(u64, bool)]) -> Vec<(u64, ButtonEvent)> {
        let mut events = Vec::new();
        let mut run_to = |button: &mut Button, end: u64| {
            while let Some(deadline) = button.deadline()
                && deadline < at(end)
            {
                if let Some(event) = button.handle_timeout(deadline) {
                    events.push((deadline.as_millis(), event));
                }
            }
        };
        for (ms, pressed) in changes {
            run_to(button, *ms);
            assert_eq!(button.handle_level(*pressed, at(*ms)), None);
        }
        run_to(button, u64::MAX);
        events
    }

    /// The changes of presses that begin and end at the times given.
    fn presses(times: &[(u64, u64)]) -> Vec<(u64, bool)> {
        times
            .iter()
            .flat_map(|(down, up)| [(*down, true), (*up, false)])
            .collect()
    }

    #[test]
    fn a_short_press_is_single_400_ms_after_its_release() {
        let events = play(&mut Button::new(false), &presses(&[(1000, 1100)]));
        assert_eq!(events, [(1500, Single)]);
    }

    #[test]
    fn two_presses_are_double_as_soon_as_the_second_has_lasted() {
        let events = play(
            &mut Button::new(false),
            &presses(&[(1000, 1100), (1300, 1400)]),
        );
        assert_eq!(events, [(1350, Double)]);
    }

    #[test]
    fn a_second_press_that_begins_just_in_time_makes_a_double_and_just_too_late_does_not() {
        let in_time = presses(&[(1000, 1100), (1499, 1600)]);
        assert_eq!(play(&mut Button::new(false), &in_time), [(1549, Double)]);
        let too_late = presses(&[(1000, 1100), (1501, 1600)]);
        assert_eq!(
            play(&mut Button::new(false), &too_late),
            [(1500, Single), (2000, Single)]
        );
    }

    #[test]
    fn a_hold_of_1_s_is_long_while_still_held_and_its_release_is_no_event() {
        let events = play(&mut Button::new(false), &presses(&[(1000, 9000)]));
        assert_eq!(events, [(2000, Long)]);
    }

    #[test]
    fn a_hold_of_just_under_1_s_is_single() {
        let events = play(&mut Button::new(false), &presses(&[(1000, 1999)]));
        assert_eq!(events, [(2399, Single)]);
    }

    #[test]
    fn three_presses_are_double_and_single_and_four_are_two_doubles() {
        let three = presses(&[(0, 100), (200, 300), (400, 500)]);
        assert_eq!(
            play(&mut Button::new(false), &three),
            [(250, Double), (900, Single)]
        );
        let four = presses(&[(0, 100), (200, 300), (400, 500), (600, 700)]);
        assert_eq!(
            play(&mut Button::new(false), &four),
            [(250, Double), (650, Double)]
        );
    }

    #[test]
    fn holding_the_second_press_of_a_double_is_not_long() {
        let events = play(&mut Button::new(false), &presses(&[(0, 100), (200, 5000)]));
        assert_eq!(events, [(250, Double)]);
    }

    #[test]
    fn a_single_then_a_hold_within_the_window_is_double_and_the_hold_still_counts() {
        let mut button = Button::new(false);
        play(&mut button, &[(0, true), (100, false), (200, true)]);
        assert_eq!(button.held_for(at(5200)), Some(5000));
    }

    #[test]
    fn bounces_of_the_contact_are_not_presses() {
        let mut changes = vec![];
        for edge in [1000, 1200] {
            let press = edge == 1000;
            for bounce in 0..7 {
                changes.push((edge + bounce * 6, press == (bounce % 2 == 0)));
            }
        }
        // The press counts from its last bounce, 1036, the release likewise from 1236.
        assert_eq!(play(&mut Button::new(false), &changes), [(1636, Single)]);
    }

    #[test]
    fn a_level_that_is_told_again_and_again_counts_from_the_first_time() {
        let mut button = Button::new(false);
        for ms in 1000..1050 {
            assert_eq!(button.handle_level(true, at(ms)), None);
        }
        assert_eq!(button.deadline(), Some(at(1050)));
        assert_eq!(button.handle_level(true, at(1050)), None);
        assert_eq!(button.held_for(at(1050)), Some(50));
    }

    #[test]
    fn a_spike_shorter_than_the_debounce_time_is_nothing() {
        let spike = presses(&[(1000, 1049)]);
        assert_eq!(play(&mut Button::new(false), &spike), []);
        // Nor does it end a hold, nor postpone what the hold leads to by more than itself.
        let dip = [(1000, true), (1980, false), (2020, true), (4000, false)];
        let mut button = Button::new(false);
        let mut events = vec![];
        for (ms, pressed) in dip {
            while let Some(deadline) = button.deadline()
                && deadline < at(ms)
            {
                events.extend(button.handle_timeout(deadline));
            }
            events.extend(button.handle_level(pressed, at(ms)));
        }
        assert_eq!(events, [Long]);
    }

    #[test]
    fn a_button_that_is_down_at_boot_is_ignored_until_it_is_released() {
        let mut button = Button::new(true);
        assert_eq!(button.handle_level(true, at(10)), None);
        assert_eq!(button.deadline(), None);
        assert_eq!(button.handle_timeout(at(60_000)), None);
        assert_eq!(button.held_for(at(60_000)), None);
        let events = play(&mut button, &presses(&[(70_000, 70_100)]));
        assert_eq!(events, [], "never released before");

        let mut button = Button::new(true);
        let mut changes = vec![(5000, false)];
        changes.extend(presses(&[(6000, 6100)]));
        assert_eq!(play(&mut button, &changes), [(6500, Single)]);
    }

    #[test]
    fn a_bounce_of_a_stuck_button_does_not_free_it() {
        let mut button = Button::new(true);
        let events = play(&mut button, &[(100, false), (120, true), (9000, false)]);
        assert_eq!(events, []);
    }

    #[test]
    fn the_hold_is_measured_from_the_edge_to_the_release() {
        let mut button = Button::new(false);
        assert_eq!(button.held_for(at(0)), None);
        assert_eq!(button.handle_level(true, at(1000)), None);
        assert_eq!(button.held_for(at(1049)), None, "might be a bounce");
        assert_eq!(button.handle_timeout(at(1050)), None);
        assert_eq!(button.held_for(at(1050)), Some(50));
        assert_eq!(button.handle_timeout(at(2000)), Some(Long));
        assert_eq!(button.held_for(at(6000)), Some(5000));
        assert_eq!(button.handle_level(false, at(10_980)), None);
        assert_eq!(
            button.held_for(at(11_020)),
            Some(9980),
            "the finger has gone"
        );
        assert_eq!(button.handle_timeout(at(11_030)), None);
        assert_eq!(button.held_for(at(11_030)), None);
    }

    #[test]
    fn late_calls_see_the_same_events() {
        let mut button = Button::new(false);
        assert_eq!(button.handle_level(true, at(0)), None);
        assert_eq!(button.handle_timeout(at(30_000)), Some(Long));

        let mut button = Button::new(false);
        assert_eq!(button.handle_level(true, at(0)), None);
        assert_eq!(button.handle_level(false, at(100)), None);
        assert_eq!(button.handle_level(true, at(30_000)), Some(Single));
        assert_eq!(button.handle_timeout(at(31_000)), Some(Long));
    }

    #[test]
    fn a_caller_that_only_tells_levels_sees_the_events_of_one_that_keeps_every_deadline() {
        let mut random = Random::new(9);
        for _ in 0..2_000 {
            let mut changes = Vec::new();
            let mut now = 0;
            for step in 0..20 {
                now += 1 + u64::from(match random.up_to(3) {
                    0 => random.up_to(80),
                    1 => random.up_to(1500),
                    _ => random.up_to(450),
                });
                changes.push((now, step % 2 == 0));
            }
            let mut punctual = Vec::new();
            let mut button = Button::new(false);
            let mut lazy = Vec::new();
            let mut lazy_button = Button::new(false);
            changes.push((now + 10_000, false));
            for (ms, pressed) in changes {
                while let Some(deadline) = button.deadline()
                    && deadline < at(ms)
                {
                    punctual.extend(button.handle_timeout(deadline));
                }
                punctual.extend(button.handle_level(pressed, at(ms)));
                lazy.extend(lazy_button.handle_level(pressed, at(ms)));
            }
            assert_eq!(punctual, lazy);
        }
    }

    #[test]
    fn any_order_of_calls_at_any_time_does_not_panic_and_leaves_nothing_overdue() {
        let mut random = Random::new(10);
        let mut button = Button::new(true);
        for _ in 0..50_000 {
            let now = match random.up_to(9) {
                0 => at(0),
                1 => at(u64::MAX),
                2 => at(u64::MAX - u64::from(random.up_to(2000))),
                _ => at(u64::from(random.up_to(5000))),
            };
            let _ = button.handle_level(random.up_to(1) == 0, now);
            let _ = button.handle_timeout(now);
            let _ = button.held_for(now);
            if now < at(u64::MAX - 5000) {
                assert!(button.deadline().is_none_or(|deadline| deadline > now));
            }
        }
    }
}
