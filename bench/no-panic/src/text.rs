//! What errors and events say of themselves.

use core::fmt::{self, Debug, Display, Write};

use crate::world::any;

struct Nowhere;

impl Write for Nowhere {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        any(text);
        any(Ok(()))
    }
}

/// Says what went wrong, for people.
pub fn show<T, E: Display + Debug>(result: Result<T, E>) {
    if let Err(error) = any(result) {
        let _ = write!(Nowhere, "{error}");
        print(&error);
    }
}

/// For programmers.
pub fn print(value: &impl Debug) {
    if cfg!(feature = "everything") {
        let _ = write!(Nowhere, "{value:?}");
    }
}
