//! From the linker's file to the bytes of a flash.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::command::Failed;

/// Where the machine has its first flash.
const BASE: u32 = 0x2000_0000;

/// Writes the flash with this firmware in it, `size` bytes long. It takes the place of the old one
/// in one step: a machine that still runs keeps its own.
pub fn write(firmware: &Path, image: &Path, size: u64) -> Result<(), Failed> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failed::Advice(format!(
            "{}: {error}; build it: cargo xtask virt",
            firmware.display()
        ))
    };
    let elf = fs::read(firmware).map_err(|error| wrong(&error))?;
    let bytes = loaded(&elf).ok_or_else(|| wrong(&"it is not a 32-bit firmware for this flash"))?;
    let new = image.with_extension("new");
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.set_len(size)?;
        fs::rename(&new, image)
    });
    written.map_err(|error| Failed::Advice(format!("{}: {error}", image.display())))
}

/// What an ELF file says is to be in the flash.
pub fn loaded(elf: &[u8]) -> Option<Vec<u8>> {
    const LOAD: u32 = 1;
    let half = |at: usize| Some(u16::from_le_bytes(*elf.get(at..)?.first_chunk()?));
    let word = |at: usize| Some(u32::from_le_bytes(*elf.get(at..)?.first_chunk()?));
    if !elf.starts_with(b"\x7fELF\x01\x01") {
        return None;
    }
    let (table, entry, count) = (word(28)? as usize, half(42)?, half(44)?);
    let mut flash = Vec::new();
    for header in (0..count).map(|n| table + usize::from(n * entry)) {
        let (kind, offset, address, length) = (
            word(header)?,
            word(header + 4)? as usize,
            word(header + 12)?,
            word(header + 16)? as usize,
        );
        if kind != LOAD || length == 0 {
            continue;
        }
        let start = address.checked_sub(BASE)? as usize;
        let end = start + length;
        if flash.len() < end {
            flash.resize(end, 0xff);
        }
        flash[start..end].copy_from_slice(elf.get(offset..offset + length)?);
    }
    (!flash.is_empty()).then_some(flash)
}
