//! What a program of a 32-bit machine takes into its memory, by the sections of its ELF file.

use object::LittleEndian;
use object::elf::{FileHeader32, SHF_ALLOC, SHF_WRITE, SHT_NOBITS};
use object::read::elf::{FileHeader, SectionHeader};

/// A section of the program that is there when it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    pub name: &'a str,
    pub bytes: u32,
    /// It comes with the file; else it begins as zero.
    pub loaded: bool,
    /// It changes while the program runs.
    pub variable: bool,
}

/// The sections of the little-endian `file`, or what is wrong with it.
pub fn sections(file: &[u8]) -> object::Result<Vec<Section<'_>>> {
    let order = LittleEndian;
    let header = FileHeader32::<LittleEndian>::parse(file)?;
    let table = header.sections(order, file)?;
    let mut sections = Vec::new();
    for section in table.iter() {
        let flags = section.sh_flags(order);
        if !flags.contains(SHF_ALLOC) {
            continue;
        }
        let name = table.section_name(order, section)?;
        sections.push(Section {
            name: str::from_utf8(name).unwrap_or_default(),
            bytes: section.sh_size(order),
            loaded: section.sh_type(order) != SHT_NOBITS,
            variable: flags.contains(SHF_WRITE),
        });
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with these sections, each with its type, flags and bytes, and one with their names.
    fn file(sections: &[(&str, u32, u32, u32)]) -> Vec<u8> {
        let mut names = Vec::new();
        let mut headers = Vec::new();
        for (name, kind, flags, bytes) in sections {
            let mut header = [0_u32; 10];
            (header[0], header[1]) = (names.len() as u32, *kind);
            (header[2], header[5]) = (*flags, *bytes);
            headers.push(header);
            names.extend(name.bytes().chain([0]));
        }
        let mut header = [0_u32; 10];
        (header[1], header[4], header[5]) = (3, 52, names.len() as u32);
        headers.push(header);
        let mut file = vec![0; 52];
        file[..7].copy_from_slice(b"\x7fELF\x01\x01\x01");
        file[32..36].copy_from_slice(&(52 + names.len() as u32).to_le_bytes());
        file[46] = 40;
        file[48] = headers.len() as u8;
        file[50] = headers.len() as u8 - 1;
        file.extend(names);
        file.extend(headers.iter().flatten().flat_map(|word| word.to_le_bytes()));
        file
    }

    #[test]
    fn what_a_program_takes_is_told_by_the_kinds_and_flags_of_its_sections() {
        let file = file(&[
            (".text", 1, 6, 100),
            (".data", 1, 3, 20),
            (".bss", 8, 3, 3),
            (".debug_info", 1, 0, 900),
        ]);
        let section = |name, bytes, loaded, variable| Section {
            name,
            bytes,
            loaded,
            variable,
        };
        assert_eq!(
            sections(&file).unwrap(),
            [
                section(".text", 100, true, false),
                section(".data", 20, true, true),
                section(".bss", 3, false, true),
            ]
        );
    }

    #[test]
    fn what_is_no_such_file_has_no_sections() {
        let whole = file(&[(".text", 1, 6, 100)]);
        for cut in 0..whole.len() {
            assert!(sections(&whole[..cut]).is_err(), "{cut}");
        }
        assert!(sections(b"#!/bin/sh").is_err());
    }
}
