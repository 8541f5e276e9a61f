//! A console: lines from and to the bench.

use core::task::{Context, Poll};

use virtio_drivers::transport::DeviceType;

use super::virtio::{Device, Memory, RECEIVE, Receiver, SEND, Sender};

/// How much comes, and goes, at once.
pub const SIZE: usize = 512;
/// How many pieces are under way each way.
const PIECES: usize = 4;

/// The memory a console needs.
pub struct Pieces {
    receive: Memory<PIECES, SIZE>,
    send: Memory<PIECES, SIZE>,
}

impl Pieces {
    pub const fn new() -> Self {
        Pieces {
            receive: [[0; _]; _],
            send: [[0; _]; _],
        }
    }
}

/// A console.
pub struct Console {
    device: Device,
    receiver: Receiver<PIECES, SIZE>,
    sender: Sender<PIECES, SIZE>,
}

impl Console {
    /// The console at this place of the bus.
    pub fn open(place: usize, pieces: &'static mut Pieces) -> Option<Self> {
        let device = Device::open(place, DeviceType::Console)?;
        device.begin(0);
        let receiver = Receiver::new(&device, RECEIVE, &mut pieces.receive);
        let sender = Sender::new(&device, SEND, &mut pieces.send);
        device.finish();
        Some(Console {
            device,
            receiver,
            sender,
        })
    }

    /// Takes the bytes that came, at most as many as there is room for; the rest is lost. If none
    /// did, the task is woken when some do.
    pub fn poll_read(&mut self, context: &mut Context<'_>, room: &mut [u8]) -> Poll<usize> {
        self.device.wake(context.waker());
        let Some(filled) = self.receiver.next() else {
            return Poll::Pending;
        };
        let bytes = self.receiver.bytes(&filled);
        let count = bytes.len().min(room.len());
        room[..count].copy_from_slice(&bytes[..count]);
        self.receiver.give_back(filled, &self.device);
        Poll::Ready(count)
    }

    /// Sends bytes: QEMU takes them at once, whether anybody reads them or not. What is too long
    /// for one piece is not sent.
    pub fn write(&mut self, bytes: &[u8]) {
        self.sender.send(bytes.len(), &self.device, |piece| {
            piece.copy_from_slice(bytes)
        });
    }
}
