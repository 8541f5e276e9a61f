//! What the device remembers over restarts: the state of the switch, and which commands it has
//! carried out.
//!
//! It is stored as records: a key of one byte, and a few bytes under it. A board writes each whole
//! or not at all, and hands all of them back at the next start, in any order.

use heapless::{String, Vec};

/// The longest id of a command, in bytes.
pub const COMMAND_ID_MAX: usize = 36;
/// How many ids of commands are remembered.
pub const COMMAND_IDS: usize = 16;
/// The longest record, in bytes.
pub const RECORD_MAX: usize = 5 + COMMAND_ID_MAX;

/// The format of the records, their first byte.
const FORMAT: u8 = 1;
/// The key of the switch's state.
const SWITCH: u8 = 0;
/// The keys of the commands carried out begin here.
const COMMANDS: u8 = 16;

/// The id somebody gave a command, so that it is carried out once.
pub type CommandId = String<COMMAND_ID_MAX, u8>;

/// Something to be stored: `bytes` under `key`, in place of what was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which record it is.
    pub key: u8,
    /// Its content.
    pub bytes: Vec<u8, RECORD_MAX, u8>,
}

impl Record {
    pub(crate) fn switch(on: bool) -> Self {
        let mut bytes = Vec::new();
        let _ = bytes.extend_from_slice(&[FORMAT, on as u8]);
        Record { key: SWITCH, bytes }
    }

    pub(crate) fn is_switch(key: u8) -> bool {
        key == SWITCH
    }
}

/// Why a stored record was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRecord {
    /// Its key.
    pub key: u8,
}

impl core::fmt::Display for UnknownRecord {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "the stored record {} is damaged or of another version; it is left out",
            self.key
        )
    }
}

impl core::error::Error for UnknownRecord {}

/// Why what was stored is not used, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// It could not be read. It is left as it is, and nothing is stored, until a factory reset.
    Unreadable,
    /// A newer Monster wrote it. It is left as it is, and nothing is stored, until settings are set
    /// anew.
    Newer,
    /// It made no sense, and is gone.
    Lost,
    /// The settings among it are not allowed, and not used.
    Settings,
}

impl StoreFault {
    /// The word for it in diagnostics.
    pub const fn as_str(self) -> &'static str {
        match self {
            StoreFault::Unreadable => "unreadable",
            StoreFault::Newer => "newer",
            StoreFault::Lost => "lost",
            StoreFault::Settings => "settings",
        }
    }
}

/// What was stored before this start.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// What is wrong with the store, for diagnostics.
    pub fault: Option<StoreFault>,
    pub(crate) switch: Option<bool>,
    pub(crate) executed: Executed,
}

impl Memory {
    /// Takes one stored record.
    ///
    /// # Errors
    /// [`UnknownRecord`] if it is damaged or of another version; nothing is changed then.
    pub fn load(&mut self, key: u8, bytes: &[u8]) -> Result<(), UnknownRecord> {
        let unknown = UnknownRecord { key };
        let [FORMAT, content @ ..] = bytes else {
            return Err(unknown);
        };
        match (key, content) {
            (SWITCH, &[on @ (0 | 1)]) => self.switch = Some(on == 1),
            (COMMANDS.., &[a, b, c, d, ref id @ ..]) => {
                let sequence = u32::from_le_bytes([a, b, c, d]);
                let id = core::str::from_utf8(id).map_err(|_| unknown)?;
                let id = CommandId::try_from(id).map_err(|_| unknown)?;
                if key != Executed::key(sequence) || id.is_empty() {
                    return Err(unknown);
                }
                self.executed.restore(sequence, id);
            }
            _ => return Err(unknown),
        }
        Ok(())
    }
}

/// The last commands that were carried out. Each has its sequence number, the numbers follow each other,
/// and the place of a command is what its number leaves: so each takes the place of the one that is
/// [`COMMAND_IDS`] older, here and in the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Executed {
    entries: [Entry; COMMAND_IDS],
    /// The number of the next command.
    next: u32,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    /// Empty where there was no command.
    id: CommandId,
    /// The switch's state that was answered; none if the answer is gone.
    state: Option<bool>,
}

impl Executed {
    /// What was answered to the command with this id: `None` if there was no such command,
    /// `Some(None)` if its answer is gone. No id is empty.
    pub fn answer(&self, id: &str) -> Option<Option<bool>> {
        self.entries
            .iter()
            .find(|entry| entry.id == id)
            .map(|entry| entry.state)
    }

    /// What is to be stored before the command with this id is carried out.
    pub fn record(&self, id: &CommandId) -> Record {
        let mut bytes = Vec::new();
        let _ = bytes.push(FORMAT);
        let _ = bytes.extend_from_slice(&self.next.to_le_bytes());
        let _ = bytes.extend_from_slice(id.as_bytes());
        Record {
            key: self.next_key(),
            bytes,
        }
    }

    /// The key of the record of the command that is carried out next.
    pub fn next_key(&self) -> u8 {
        Executed::key(self.next)
    }

    /// The command whose record was made last is stored and carried out, and this was answered.
    pub fn done(&mut self, id: CommandId, state: bool) {
        self.put(self.next, id, Some(state));
        self.next = self.next.wrapping_add(1);
    }

    /// The records come in any order, and the numbers may begin again between two of them.
    fn restore(&mut self, sequence: u32, id: CommandId) {
        self.put(sequence, id, None);
        let after = sequence.wrapping_add(1);
        let is_first = self.entries.iter().filter(|it| !it.id.is_empty()).count() <= 1;
        if is_first || after.wrapping_sub(self.next) <= u32::MAX / 2 {
            self.next = after;
        }
    }

    fn put(&mut self, sequence: u32, id: CommandId, state: Option<bool>) {
        if let Some(entry) = self.entries.get_mut(Executed::place(sequence)) {
            *entry = Entry { id, state };
        }
    }

    /// Each record overwrites the one that is [`COMMAND_IDS`] older.
    fn key(sequence: u32) -> u8 {
        COMMANDS + Executed::place(sequence) as u8
    }

    fn place(sequence: u32) -> usize {
        sequence as usize % COMMAND_IDS
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec as List;

    use super::*;

    fn id(n: u32) -> CommandId {
        let mut id = CommandId::new();
        core::fmt::write(&mut id, format_args!("command-{n}")).unwrap();
        id
    }

    #[test]
    fn the_last_sixteen_ids_are_known_and_older_ones_are_not() {
        let mut executed = Executed::default();
        for n in 0..40 {
            executed.done(id(n), n % 2 == 0);
        }
        for n in 0..24 {
            assert_eq!(executed.answer(&id(n)), None);
        }
        for n in 24..40 {
            assert_eq!(executed.answer(&id(n)), Some(Some(n % 2 == 0)));
        }
    }

    #[test]
    fn records_restored_in_any_order_give_the_same_memory_and_go_on_from_there() {
        for start in [0, 5, u32::MAX - 3] {
            let mut executed = Executed {
                next: start,
                ..Executed::default()
            };
            let mut stored: List<(u8, List<u8>)> = List::new();
            let mut store = |record: Record| {
                stored.retain(|(key, _)| *key != record.key);
                stored.push((record.key, record.bytes.to_vec()));
            };
            for n in 0..21 {
                store(executed.record(&id(n)));
                executed.done(id(n), true);
            }
            for rotation in 0..stored.len() {
                stored.rotate_left(rotation);
                let mut memory = Memory::default();
                for (key, bytes) in &stored {
                    memory.load(*key, bytes).unwrap();
                }
                for n in 0..5 {
                    assert_eq!(memory.executed.answer(&id(n)), None);
                }
                for n in 5..21 {
                    assert_eq!(memory.executed.answer(&id(n)), Some(None), "{start} {n}");
                }
                assert_eq!(memory.executed.next, executed.next);
            }
        }
    }

    #[test]
    fn a_command_that_was_not_stored_is_not_remembered_and_its_place_is_used_again() {
        let mut executed = Executed::default();
        executed.done(id(1), true);
        let record = executed.record(&id(2));
        assert_eq!(executed.answer(&id(2)), None);
        assert_eq!(executed.record(&id(3)).key, record.key);
    }

    #[test]
    fn damaged_records_are_refused_and_change_nothing() {
        let mut memory = Memory::default();
        for (key, bytes) in [
            (SWITCH, &[][..]),
            (SWITCH, &[FORMAT]),
            (SWITCH, &[FORMAT, 2]),
            (SWITCH, &[9, 1]),
            (7, &[FORMAT, 1]),
            (COMMANDS, &[FORMAT, 0, 0, 0]),
            (COMMANDS, &[FORMAT, 0, 0, 0, 0]),
            (COMMANDS, &[FORMAT, 1, 0, 0, 0, b'a']),
            (COMMANDS, &[FORMAT, 0, 0, 0, 0, 0xff]),
            (COMMANDS, &[FORMAT; 60]),
        ] {
            assert_eq!(memory.load(key, bytes), Err(UnknownRecord { key }));
        }
        assert_eq!(memory.switch, None);
        assert_eq!(memory.executed.next, 0);
        assert!(memory.executed.entries.iter().all(|it| it.id.is_empty()));
        memory.load(SWITCH, &Record::switch(true).bytes).unwrap();
        assert_eq!(memory.switch, Some(true));
    }
}
