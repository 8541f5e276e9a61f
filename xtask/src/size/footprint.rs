//! How many bytes of a program go where.

use std::fs;
use std::path::Path;

use crate::command::Failed;
use crate::elf::{self, Section};

/// Bytes of a program that it takes before it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes in flash: code, constants, and the values variables start with.
    pub flash: u32,
    /// Bytes of variables: those with a value to start with, and those that begin as zero.
    pub statics: u32,
}

/// Reads the footprint of the file at `path`.
pub fn footprint(path: &Path) -> Result<Footprint, Failed> {
    let file =
        fs::read(path).map_err(|error| Failed::Start(format!("read {}", path.display()), error))?;
    let sections = elf::sections(&file)
        .map_err(|error| Failed::Advice(format!("{}: {error}", path.display())))?;
    Ok(sum(&sections))
}

fn sum(sections: &[Section]) -> Footprint {
    let bytes = |counts: fn(&Section) -> bool| {
        let those = sections.iter().filter(|section| counts(section));
        those.map(|section| section.bytes).sum()
    };
    Footprint {
        flash: bytes(|section| section.loaded),
        statics: bytes(|section| section.variable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_with_a_value_to_start_with_takes_flash_and_ram() {
        let section = |bytes, loaded, variable| Section {
            name: "",
            bytes,
            loaded,
            variable,
        };
        let sections = [
            section(100, true, false),
            section(20, true, true),
            section(3, false, true),
        ];
        let expected = Footprint {
            flash: 120,
            statics: 23,
        };
        assert_eq!(sum(&sections), expected);
    }
}
