//! What the parts of the ESP32-C3's program are for, by the names of their sections.

use crate::elf::Section;

/// What a section of the program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Code that is run from the flash.
    Text,
    /// Constants that are read from it.
    Rodata,
    /// Code that is loaded into RAM.
    RamCode,
    /// Variables with a value to start with.
    Data,
    /// Variables that begin as zero, or as anything.
    Bss,
    /// What is left for the stack.
    Stack,
    /// What the bootloader used.
    LeftBehind,
}

/// The parts of the program of these sections, each with its bytes.
pub fn parts(sections: &[Section]) -> Vec<(Part, u64)> {
    let known = |section: &Section| Some((part(section.name)?, section.bytes.into()));
    sections.iter().filter_map(known).collect()
}

/// What a section of this name is for; `None` if it takes nothing of its own, as the gaps do that
/// keep RAM free where code of the same RAM has another address.
fn part(name: &str) -> Option<Part> {
    let is = |known: &str| {
        name.strip_prefix(known)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    [
        (".text", Part::Text),
        (".flash.appdesc", Part::Rodata),
        (".rodata_merge", Part::Rodata),
        (".rodata", Part::Rodata),
        (".trap", Part::RamCode),
        (".rwtext", Part::RamCode),
        (".data", Part::Data),
        (".rtc_fast", Part::Bss),
        (".bss", Part::Bss),
        (".noinit", Part::Bss),
        (".stack", Part::Stack),
        (".dram2_uninit", Part::LeftBehind),
    ]
    .into_iter()
    .find(|(known, _)| is(known))
    .map(|(_, part)| part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_told_apart_by_their_names() {
        let sections = [
            (".text", 100),
            (".rwtext.wifi", 20),
            (".rwtext_dummy", 999),
            (".rotext_dummy", 999),
            (".rodata", 30),
            (".data.wifi", 4),
            (".bss", 5),
        ]
        .map(|(name, bytes)| Section {
            name,
            bytes,
            loaded: true,
            variable: false,
        });
        assert_eq!(
            parts(&sections),
            [
                (Part::Text, 100),
                (Part::RamCode, 20),
                (Part::Rodata, 30),
                (Part::Data, 4),
                (Part::Bss, 5),
            ]
        );
    }
}
