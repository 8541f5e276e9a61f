//! Why a machine is restarted, as a word that lies in memory over the restart.

use monster::device::ResetReason;

/// The upper half of the word, so that chance does not look like a reason.
const MARK: u32 = 0x4d6f_0000;

/// The word to be left for the next start.
pub const fn note(reason: ResetReason) -> u32 {
    let number = match reason {
        ResetReason::PowerOn => 1,
        ResetReason::Command => 2,
        ResetReason::Failure => 3,
        ResetReason::Watchdog => 4,
        ResetReason::Unknown => 5,
    };
    MARK | number
}

/// The reason in the word that was found, if it is one.
pub fn noted(word: u32) -> Option<ResetReason> {
    [
        ResetReason::PowerOn,
        ResetReason::Command,
        ResetReason::Failure,
        ResetReason::Watchdog,
        ResetReason::Unknown,
    ]
    .into_iter()
    .find(|reason| note(*reason) == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_found_as_it_was_noted_and_chance_is_none() {
        for reason in [
            ResetReason::PowerOn,
            ResetReason::Command,
            ResetReason::Failure,
            ResetReason::Watchdog,
            ResetReason::Unknown,
        ] {
            assert_eq!(noted(note(reason)), Some(reason));
        }
        for word in [0, 1, 2, u32::MAX, MARK, MARK + 6, !MARK] {
            assert_eq!(noted(word), None);
        }
    }
}
