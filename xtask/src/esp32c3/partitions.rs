//! The table of the flash's partitions.

/// Which bytes of the flash a partition has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    pub offset: u64,
    pub size: u64,
}

/// The partition of this name in a table of lines `name, type, subtype, offset, size`.
pub fn find(table: &str, name: &str) -> Option<Partition> {
    let line = table
        .lines()
        .map(|line| line.split(',').map(str::trim).collect::<Vec<_>>())
        .find(|words| words.first() == Some(&name))?;
    let [_, _, _, offset, size] = line[..] else {
        return None;
    };
    Some(Partition {
        offset: number(offset)?,
        size: number(size)?,
    })
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::root;

    fn table() -> String {
        std::fs::read_to_string(root().join(super::super::PARTITIONS)).unwrap()
    }

    #[test]
    fn the_boards_partitions_follow_each_other_in_four_mebibytes() {
        let table = table();
        let names = ["otadata", "ota_0", "ota_1", "store"];
        // The partition table itself is before them.
        let mut end = 0x9000;
        for name in names {
            let Partition { offset, size } = find(&table, name).unwrap();
            assert!(offset >= end, "{name}");
            assert!(
                size > 0 && (offset | size).is_multiple_of(super::super::BLOCK as u64),
                "{name}"
            );
            end = offset + size;
        }
        assert!(end <= 4 << 20);
    }

    #[test]
    fn a_slot_has_one_mebibyte_at_a_place_from_which_code_can_run() {
        for slot in ["ota_0", "ota_1"] {
            let Partition { offset, size } = find(&table(), slot).unwrap();
            assert!(size <= 1 << 20);
            assert!(offset.is_multiple_of(0x10000));
        }
    }

    #[test]
    fn a_line_that_is_not_whole_is_no_partition() {
        for table in ["", "# x, y", "x, data, ota, 0x10", "x, data, ota, 16, 0x10"] {
            assert_eq!(find(table, "x"), None);
        }
    }
}
