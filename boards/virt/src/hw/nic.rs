//! A network card, for embassy-net.

use core::task::Context;

use portable_atomic::{AtomicBool, Ordering};

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use virtio_drivers::transport::{DeviceType, Transport};

use super::interrupts;
use super::virtio::{Device, Filled, Memory, RECEIVE, Receiver, SEND, Sender};

/// How many frames are under way each way.
const FRAMES: usize = 8;
/// VIRTIO's header of a frame, of which nothing is used.
const HEADER: usize = 12;
/// The longest frame.
const FRAME: usize = 1514;
/// The features: the card knows its address, and whether there is a cable.
const MAC: u64 = 1 << 5;
const STATUS: u64 = 1 << 16;

/// The memory a card needs.
pub struct Frames {
    receive: Memory<FRAMES, { HEADER + FRAME }>,
    send: Memory<FRAMES, { HEADER + FRAME }>,
}

impl Frames {
    pub const fn new() -> Self {
        Frames {
            receive: [[0; _]; _],
            send: [[0; _]; _],
        }
    }
}

/// What stands between a card and its network: what a radio does, since QEMU has none. It begins
/// shut, and nothing goes through.
pub struct Gate {
    place: usize,
    is_open: AtomicBool,
}

impl Gate {
    /// The gate of the card at this place of the bus.
    pub const fn new(place: usize) -> Self {
        Gate {
            place,
            is_open: AtomicBool::new(false),
        }
    }

    /// Opens it, or shuts it.
    pub fn set(&self, open: bool) {
        self.is_open.store(open, Ordering::Relaxed);
        interrupts::wake(self.place);
    }

    fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }
}

/// A network card.
pub struct Nic {
    gate: &'static Gate,
    device: Device,
    mac: [u8; 6],
    receiver: Receiver<FRAMES, { HEADER + FRAME }>,
    sender: Sender<FRAMES, { HEADER + FRAME }>,
}

impl Nic {
    /// The card behind this gate.
    pub fn open(gate: &'static Gate, frames: &'static mut Frames) -> Option<Self> {
        let device = Device::open(gate.place, DeviceType::Network)?;
        device.begin(MAC | STATUS);
        let mac = device.transport.borrow().read_config_space(0).ok()?;
        let sender = Sender::new(&device, SEND, &mut frames.send);
        let receiver = Receiver::new(&device, RECEIVE, &mut frames.receive);
        device.finish();
        Some(Nic {
            gate,
            device,
            mac,
            receiver,
            sender,
        })
    }

    /// Its address, which no other card on its network has.
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }
}

impl Driver for Nic {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received<'_>, Sending<'_>)> {
        self.device.wake(context.waker());
        if !self.gate.is_open() {
            // What comes is lost.
            while let Some(filled) = self.receiver.next() {
                self.receiver.give_back(filled, &self.device);
            }
            return None;
        }
        if !self.sender.is_ready() {
            return None;
        }
        let filled = self.receiver.next()?;
        let Nic {
            device,
            receiver,
            sender,
            ..
        } = self;
        Some((
            Received {
                device,
                receiver,
                filled,
            },
            Sending { device, sender },
        ))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Sending<'_>> {
        self.device.wake(context.waker());
        let Nic {
            gate,
            device,
            sender,
            ..
        } = self;
        let is_ready = gate.is_open() && sender.is_ready();
        is_ready.then_some(Sending { device, sender })
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        const OFFSET: usize = 6;
        self.device.wake(context.waker());
        match self
            .device
            .transport
            .borrow()
            .read_config_space::<u16>(OFFSET)
        {
            Ok(status) if status & 1 == 1 && self.gate.is_open() => LinkState::Up,
            _ => LinkState::Down,
        }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(FRAMES);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.mac)
    }
}

/// A frame that came.
pub struct Received<'a> {
    device: &'a Device,
    receiver: &'a mut Receiver<FRAMES, { HEADER + FRAME }>,
    filled: Filled,
}

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read: F) -> R {
        let bytes = self.receiver.bytes(&self.filled);
        let header = HEADER.min(bytes.len());
        let result = read(&mut bytes[header..]);
        self.receiver.give_back(self.filled, self.device);
        result
    }
}

/// Room for a frame that goes.
pub struct Sending<'a> {
    device: &'a Device,
    sender: &'a mut Sender<FRAMES, { HEADER + FRAME }>,
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let sent = self.sender.send(HEADER + length, self.device, |bytes| {
            let (header, frame) = bytes.split_at_mut(HEADER);
            header.fill(0);
            write(frame)
        });
        sent.expect("there was room, and no frame is longer than was said")
    }
}
