//! How many bytes of a 32-bit little-endian ELF file go where.

use std::fs;
use std::path::Path;

use crate::command::Failed;

/// Bytes of a program that it takes before it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Bytes in flash: code, constants, and the values variables start with.
    pub flash: u32,
    /// Bytes of variables: those with a value to start with, and those that begin as zero.
    pub statics: u32,
}

const NOBITS: u32 = 8;
const WRITE: u32 = 1;
const ALLOC: u32 = 2;

/// Reads the footprint of the file at `path`.
pub fn footprint(path: &Path) -> Result<Footprint, Failed> {
    let file =
        fs::read(path).map_err(|error| Failed::Start(format!("read {}", path.display()), error))?;
    sections(&file)
        .ok_or_else(|| Failed::Advice(format!("{} is not a 32-bit ELF file", path.display())))
}

fn sections(file: &[u8]) -> Option<Footprint> {
    if file.get(..6)? != b"\x7fELF\x01\x01" {
        return None;
    }
    let table = word(file, 32)? as usize;
    let size = half(file, 46)? as usize;
    let count = half(file, 48)? as usize;
    let mut footprint = Footprint::default();
    for header in file.get(table..)?.chunks(size).take(count) {
        let (kind, flags, bytes) = (word(header, 4)?, word(header, 8)?, word(header, 20)?);
        if flags & ALLOC == 0 {
            continue;
        }
        if kind != NOBITS {
            footprint.flash += bytes;
        }
        if flags & WRITE != 0 {
            footprint.statics += bytes;
        }
    }
    Some(footprint)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_count_for_flash_and_for_variables_by_their_kind_and_flags() {
        let mut file = vec![0; 52];
        file[..6].copy_from_slice(b"\x7fELF\x01\x01");
        file[32] = 52;
        file[46] = 40;
        file[48] = 4;
        // .text, .data, .bss, and something for a debugger.
        for (kind, flags, bytes) in [(1, 6, 100), (1, 3, 20), (8, 3, 3), (1, 0, 900)] {
            let mut header = [0_u32; 10];
            (header[1], header[2], header[5]) = (kind, flags, bytes);
            file.extend(header.iter().flat_map(|word| word.to_le_bytes()));
        }
        let expected = Footprint {
            flash: 120,
            statics: 23,
        };
        assert_eq!(sections(&file), Some(expected));
        assert_eq!(sections(&file[..60]), None);
        assert_eq!(sections(b"#!/bin/sh"), None);
    }
}
