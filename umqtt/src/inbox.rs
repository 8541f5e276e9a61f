//! The receive buffer: bytes as they came, until they are whole packets.

#[cfg(not(target_pointer_width = "64"))]
use core::cell::Cell;
use core::ops::Range;

/// Bytes received and not yet consumed, and how many of those still to come are not wanted.
pub(crate) struct Inbox<'b> {
    buffer: &'b mut [u8],
    start: usize,
    end: usize,
    /// Bytes of a packet larger than the buffer that are still to be thrown away.
    skip: usize,
}

impl<'b> Inbox<'b> {
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Inbox {
            buffer,
            start: 0,
            end: 0,
            skip: 0,
        }
    }

    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.skip = 0;
    }

    /// The whole buffer, for a packet to be sent before anything is received.
    pub fn scratch(&mut self) -> &mut [u8] {
        self.clear();
        self.buffer
    }

    /// The bytes of the buffer as they lie.
    pub fn memory(&self) -> &[u8] {
        self.buffer
    }

    pub fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// Where the next bytes go. What is not consumed moves down first, to behind what is `pinned`: so
    /// many bytes at the front, consumed and still needed.
    pub fn space(&mut self, pinned: usize) -> &mut [u8] {
        self.settle(pinned);
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Moves what is not consumed down to this place.
    pub fn settle(&mut self, to: usize) {
        if self.start > to {
            if self.start < self.end {
                move_down(self.buffer, self.start..self.end, to);
            }
            self.end -= self.start - to;
            self.start = to;
        }
    }

    /// Offset of the place behind what was received.
    #[cfg(feature = "v5")]
    pub fn end(&self) -> usize {
        self.end
    }

    /// `count` bytes were put into [`space`](Self::space).
    pub fn filled(&mut self, count: usize) {
        self.end = self.buffer.len().min(self.end.saturating_add(count));
        self.consume(0);
    }

    /// What was received and not consumed.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Offset of [`bytes`](Self::bytes) in the buffer.
    pub fn position(&self) -> usize {
        self.start
    }

    /// Throws `count` bytes away: those that are here, and the rest as they come.
    pub fn consume(&mut self, count: usize) {
        self.skip += count;
        let here = self.skip.min(self.end - self.start);
        self.start += here;
        self.skip -= here;
    }
}

/// Moves the bytes of `from` down to `to`, which is not above them.
///
/// On small machines not by `copy_within`, which brings in `memmove`, and that is larger than this file.
#[cfg(target_pointer_width = "64")]
pub(crate) fn move_down(buffer: &mut [u8], from: Range<usize>, to: usize) {
    if from.start < from.end && from.end <= buffer.len() && to <= from.start {
        buffer.copy_within(from, to);
    }
}

/// Moves the bytes of `from` up by so many.
#[cfg(target_pointer_width = "64")]
pub(crate) fn move_up(buffer: &mut [u8], from: Range<usize>, by: usize) {
    if from.start < from.end && from.end + by <= buffer.len() {
        let to = from.start + by;
        buffer.copy_within(from, to);
    }
}

/// Moves the bytes of `from` up by so many.
#[cfg(not(target_pointer_width = "64"))]
pub(crate) fn move_up(buffer: &mut [u8], from: Range<usize>, by: usize) {
    let cells = Cell::from_mut(buffer).as_slice_of_cells();
    let to = from.start + by..from.end + by;
    let (Some(from), Some(to)) = (cells.get(from), cells.get(to)) else {
        return;
    };
    for (from, to) in from.iter().zip(to).rev() {
        to.set(from.get());
    }
}

/// Moves the bytes of `from` down to `to`, which is not above them.
#[cfg(not(target_pointer_width = "64"))]
pub(crate) fn move_down(buffer: &mut [u8], from: Range<usize>, to: usize) {
    let cells = Cell::from_mut(buffer).as_slice_of_cells();
    let (Some(from), Some(to)) = (cells.get(from), cells.get(to..)) else {
        return;
    };
    for (from, to) in from.iter().zip(to) {
        to.set(from.get());
    }
}
