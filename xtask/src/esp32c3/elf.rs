//! What the parts of the ESP32-C3's program are for, by the names of their sections.

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

const ALLOC: u32 = 2;

/// The parts of the program in a 32-bit little-endian ELF file, each with its bytes.
pub fn parts(file: &[u8]) -> Option<Vec<(Part, u64)>> {
    if file.get(..6)? != b"\x7fELF\x01\x01" {
        return None;
    }
    let table = file.get(word(file, 32)? as usize..)?;
    let size = half(file, 46)? as usize;
    let count = half(file, 48)? as usize;
    let header = |number: usize| table.get(number.checked_mul(size)?..)?.get(..size);
    let names = word(header(half(file, 50)? as usize)?, 16)? as usize;
    let mut parts = Vec::new();
    for number in 0..count {
        let header = header(number)?;
        if word(header, 8)? & ALLOC == 0 {
            continue;
        }
        let name = file.get(names + word(header, 0)? as usize..)?;
        let name = str::from_utf8(name.split(|byte| *byte == 0).next()?).ok()?;
        if let Some(part) = part(name) {
            parts.push((part, word(header, 20)?.into()));
        }
    }
    Some(parts)
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

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with these sections, each with its flags and bytes, and one with their names.
    fn file(sections: &[(&str, u32, u32)]) -> Vec<u8> {
        let mut names = Vec::new();
        let mut headers = Vec::new();
        for (name, flags, bytes) in sections {
            let mut header = [0_u32; 10];
            (header[0], header[2], header[5]) = (names.len() as u32, *flags, *bytes);
            headers.push(header);
            names.extend(name.bytes().chain([0]));
        }
        let mut file = vec![0; 52];
        file[..6].copy_from_slice(b"\x7fELF\x01\x01");
        file[46] = 40;
        file[48] = headers.len() as u8 + 1;
        file[50] = headers.len() as u8;
        let mut header = [0_u32; 10];
        header[4] = 52;
        headers.push(header);
        let table = 52 + names.len();
        file[32..36].copy_from_slice(&(table as u32).to_le_bytes());
        file.extend(names);
        file.extend(headers.iter().flatten().flat_map(|word| word.to_le_bytes()));
        file
    }

    #[test]
    fn sections_are_told_apart_by_their_names() {
        let file = file(&[
            (".text", 6, 100),
            (".rwtext.wifi", 6, 20),
            (".rwtext_dummy", 2, 999),
            (".rotext_dummy", 2, 999),
            (".rodata", 2, 30),
            (".data.wifi", 3, 4),
            (".bss", 3, 5),
            (".debug_info", 0, 999),
        ]);
        assert_eq!(
            parts(&file).unwrap(),
            [
                (Part::Text, 100),
                (Part::RamCode, 20),
                (Part::Rodata, 30),
                (Part::Data, 4),
                (Part::Bss, 5),
            ]
        );
    }

    #[test]
    fn what_is_no_such_file_has_no_parts() {
        let whole = file(&[(".text", 6, 100)]);
        for cut in 0..whole.len() {
            assert_eq!(parts(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(parts(b"#!/bin/sh"), None);
    }
}
