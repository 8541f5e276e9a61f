//! The part of the flash that is the store's: the partition that is called `store`.

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use esp_bootloader_esp_idf::partitions::{self, PARTITION_TABLE_MAX_LEN};
use esp_hal::peripherals::FLASH;
use esp_storage::{FlashStorage, FlashStorageError};

/// The partition's label in the partition table.
const LABEL: &str = "store";

/// A partition of the flash. Offsets begin at its start.
pub struct Partition {
    flash: FlashStorage<'static>,
    start: u32,
    size: u32,
}

impl Partition {
    /// The store's partition, if there is a partition table that has one.
    pub fn store(flash: FLASH<'static>) -> Option<Self> {
        let mut flash = FlashStorage::new(flash);
        let mut bytes = [0; PARTITION_TABLE_MAX_LEN];
        let table = partitions::read_partition_table(&mut flash, &mut bytes).ok()?;
        let entry = table.iter().find(|entry| entry.label_as_str() == LABEL)?;
        let (start, size) = (entry.offset(), entry.len());
        Some(Partition { flash, start, size })
    }

    /// All of it.
    pub fn range(&self) -> core::ops::Range<u32> {
        0..self.size
    }

    /// Where `length` bytes at `offset` are in the flash, if the partition has them.
    fn place(&self, offset: u32, length: usize) -> Result<u32, Fault> {
        let length = u32::try_from(length).map_err(|_| Fault(FlashStorageError::OutOfBounds))?;
        offset
            .checked_add(length)
            .filter(|end| *end <= self.size)
            .and_then(|_| self.start.checked_add(offset))
            .ok_or(Fault(FlashStorageError::OutOfBounds))
    }
}

/// What the flash said.
#[derive(Debug)]
pub struct Fault(FlashStorageError);

impl NorFlashError for Fault {
    fn kind(&self) -> NorFlashErrorKind {
        match self.0 {
            FlashStorageError::NotAligned => NorFlashErrorKind::NotAligned,
            FlashStorageError::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            _ => NorFlashErrorKind::Other,
        }
    }
}

impl ErrorType for Partition {
    type Error = Fault;
}

impl ReadNorFlash for Partition {
    const READ_SIZE: usize = FlashStorage::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Fault> {
        let place = self.place(offset, bytes.len())?;
        self.flash.read_nor(place, bytes).map_err(Fault)
    }

    fn capacity(&self) -> usize {
        self.size as usize
    }
}

impl NorFlash for Partition {
    const WRITE_SIZE: usize = FlashStorage::WRITE_SIZE;
    const ERASE_SIZE: usize = FlashStorage::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        let first = self.place(from, 0)?;
        let end = self.place(to, 0)?;
        self.flash.erase(first, end).map_err(Fault)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Fault> {
        let place = self.place(offset, bytes.len())?;
        self.flash.write_nor(place, bytes).map_err(Fault)
    }
}
