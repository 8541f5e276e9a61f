//! Time, as it is handed in.

use core::fmt;

/// A point in time, in milliseconds since an origin the caller chose (usually the boot).
///
/// Nothing in this crate reads a clock: every call that depends on time takes an `Instant`, and
/// they must not go backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin itself.
    pub const ZERO: Instant = Instant(0);

    /// The point `milliseconds` after the origin.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Instant(milliseconds)
    }

    /// Milliseconds since the origin.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The point `milliseconds` later; the last one there is if that would overflow.
    #[must_use]
    pub const fn after(self, milliseconds: u64) -> Self {
        Instant(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to `self`; 0 if `earlier` is the later of the two.
    pub const fn since(self, earlier: Instant) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} s", self.0 / 1000, self.0 % 1000)
    }
}
