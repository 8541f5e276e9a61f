//! What must never be shown.

use core::fmt;

use heapless::String;

use super::value::{Kind, Refused, Value};

/// A text of `MIN` to `N` bytes that no log, error, page or table ever shows: `Debug` and `Display`
/// say only whether there is one. Empty means there is none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret<const N: usize, const MIN: usize = 0>(String<N, u16>);

impl<const N: usize, const MIN: usize> Secret<N, MIN> {
    /// The secret itself, for the one place that must send or store it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is one.
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }
}

impl<const N: usize, const MIN: usize> Value for Secret<N, MIN> {
    const SENSITIVE: bool = true;
    const KIND: Kind = Kind::Secret;

    fn parse(text: &str) -> Result<Self, Refused> {
        if !text.is_empty() && text.len() < MIN {
            return Err("it is too short");
        }
        String::try_from(text)
            .map(Secret)
            .map_err(|_| "it is too long")
    }

    fn allowed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match MIN {
            0 => write!(f, "up to {N} bytes; empty: none"),
            _ => write!(f, "{MIN} to {N} bytes; empty: none"),
        }
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl<const N: usize, const MIN: usize> fmt::Display for Secret<N, MIN> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "(set)" } else { "(not set)" })
    }
}

impl<const N: usize, const MIN: usize> fmt::Debug for Secret<N, MIN> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret{self}")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use super::*;

    #[test]
    fn a_secret_is_exposed_only_by_asking_for_it() {
        let secret = Secret::<16>::parse("canary").unwrap();
        assert_eq!(secret.expose(), "canary");
        assert_eq!(format!("{secret}"), "(set)");
        for shown in [
            format!("{secret:?}"),
            format!("{secret:#?}"),
            format!("{:?}", Some(&secret)),
        ] {
            assert!(
                !shown.contains("canary") && shown.contains("(set)"),
                "{shown}"
            );
        }
    }

    #[test]
    fn a_secret_that_is_too_short_is_refused_and_none_is_not() {
        assert!(Secret::<63, 8>::parse("1234567").is_err());
        assert!(Secret::<63, 8>::parse("12345678").unwrap().is_set());
        assert!(!Secret::<63, 8>::parse("").unwrap().is_set());
    }

    #[test]
    fn an_empty_secret_is_not_set() {
        let secret = Secret::<16>::parse("").unwrap();
        assert!(!secret.is_set());
        assert_eq!(format!("{secret}"), "(not set)");
    }
}
