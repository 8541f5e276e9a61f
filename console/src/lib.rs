//! Local control of a device, with no broker and no cloud: a page for the browser and the HTTP API
//! behind it, MicroPython's WebREPL protocol, and a line console that a serial port, WebREPL and a
//! desk share.
//!
//! ```text
//!   browser ──▶ serve ──┐                   ┌─▶ request ──▶ the board's loop ──▶ Device
//!   WebREPL ──▶ serve ──┼──▶ Console (here) ┤                                      │
//!   serial ───▶ Shell ──┘                   └◀─ update, log, answer ◀──────────────┘
//! ```
//!
//! A [`Console`] is what is known of the device, and one slot for what somebody wants of it. The board's
//! loop owns the device: it tells the console what happened ([`Console::update`], [`Console::log`]),
//! takes what is wanted ([`Console::request`]) and answers it ([`Console::answer`]). So nobody at the
//! console, slow or hostile, ever holds up the device.
//!
//! A board serves connections with [`serve`], as many at once as it has memory for, and its serial port
//! with a [`Shell`].
//!
//! # Scope
//!
//! Sockets, ports and tasks are the board's; so is storing settings. Where the device's access point is
//! concerned, the board says what there is.
//!
//! Nothing here allocates, and nothing that comes in makes it panic.

#![no_std]
#![forbid(unsafe_code)]
// There is no alloc to box an error or a line in, and each is made once a request.
#![allow(clippy::result_large_err, clippy::large_enum_variant)]

pub mod access;
mod changes;
mod history;
mod http;
mod journal;
mod json;
mod line;
pub mod page;
mod portal;
mod shell;
mod state;
mod status;
mod toml;
mod webrepl;

pub use changes::{CHANGES_MAX, Changes};
pub use http::{REQUEST_BUFFER, serve};
pub use portal::Entrance;
pub use shell::{Sheet, Shell, Terminal};
pub use state::{Answer, BODY_MAX, Console, EVENT_STREAMS, Host, Origin, Request, failure};

#[cfg(test)]
mod tests {
    /// Ambiguous, and so an error, for a type that has `Debug`.
    trait NotShown<Or> {
        fn name() -> &'static str {
            core::any::type_name::<Self>()
        }
    }
    impl<T: ?Sized> NotShown<()> for T {}
    impl<T: ?Sized + core::fmt::Debug> NotShown<u8> for T {}

    struct Board;

    #[test]
    fn what_holds_passwords_settings_or_what_was_typed_cannot_be_shown() {
        let names = [
            <crate::Console<Board> as NotShown<_>>::name(),
            <crate::Changes as NotShown<_>>::name(),
            <crate::access::Access as NotShown<_>>::name(),
            <crate::access::Token as NotShown<_>>::name(),
            <crate::line::Editor as NotShown<_>>::name(),
            <crate::Sheet as NotShown<_>>::name(),
            <crate::Shell<'_, '_, Board> as NotShown<_>>::name(),
            <crate::portal::Portal as NotShown<_>>::name(),
        ];
        assert!(names.iter().all(|name| name.starts_with("monster_console")));
    }
}
