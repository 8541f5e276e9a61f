//! VIRTIO: the queues through which QEMU's devices and the processor hand each other buffers.
#![allow(
    unsafe_code,
    reason = "QEMU reads and writes memory that is lent to it here"
)]

use core::cell::{RefCell, UnsafeCell};
use core::ptr::NonNull;
use core::task::Waker;

use portable_atomic::{AtomicU8, AtomicUsize, Ordering};
use virtio_drivers::device::common::Feature;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceStatus, DeviceType, Transport};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

use super::interrupts;
use super::registers::{VIRTIO, VIRTIO_SIZE};

/// How many places for devices the machine has.
pub const PLACES: usize = 8;

/// The queue through which network cards and consoles receive.
pub const RECEIVE: u16 = 0;
/// The one through which they send.
pub const SEND: u16 = 1;

/// A device, and its place, as its queues share them.
pub struct Device {
    pub transport: RefCell<MmioTransport<'static>>,
    place: usize,
}

impl Device {
    /// The device at this place, if it is one of this type and was not opened before.
    pub fn open(place: usize, kind: DeviceType) -> Option<Self> {
        static OPENED: AtomicU8 = AtomicU8::new(0);
        let header = NonNull::new(VIRTIO.address::<VirtIOHeader>(place * VIRTIO_SIZE))?;
        let mark = 1u8.checked_shl(place as u32)?;
        if OPENED.fetch_or(mark, Ordering::AcqRel) & mark != 0 {
            return None;
        }
        // SAFETY: `address` found the header within the machine's VIRTIO devices, each of which is
        // this large, for ever; and this one was not opened before.
        let transport = unsafe { MmioTransport::new(header, VIRTIO_SIZE) }.ok()?;
        (transport.device_type() == kind).then_some(Device {
            transport: RefCell::new(transport),
            place,
        })
    }

    /// Begins to set the device up: of its features it may use these, as far as it has them.
    pub fn begin(&self, features: u64) {
        let started = DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER;
        let mut transport = self.transport.borrow_mut();
        transport.set_status(DeviceStatus::empty());
        transport.set_status(started);
        let offered = transport.read_device_features();
        transport.write_driver_features(offered & (features | Feature::VERSION_1.bits()));
        transport.set_status(started | DeviceStatus::FEATURES_OK);
    }

    /// Ends the set-up, once its queues are made; the device may use them now.
    pub fn finish(&self) {
        let mut transport = self.transport.borrow_mut();
        transport.finish_init();
        transport.notify(RECEIVE);
    }

    /// Wakes this waker, once, when the device says that something happened.
    pub fn wake(&self, waker: &Waker) {
        interrupts::wake_at(self.place, waker);
    }
}

/// `N` buffers of `SIZE` bytes that a device fills.
pub struct Receiver<const N: usize, const SIZE: usize>(Buffers<N, SIZE>);

impl<const N: usize, const SIZE: usize> Receiver<N, SIZE> {
    /// Makes the queue of this number, and gives the device all buffers.
    pub fn new(device: &Device, number: u16, memory: &'static mut Memory<N, SIZE>) -> Self {
        let mut receiver = Receiver(Buffers::new(device, number, memory));
        (0..N).for_each(|slot| receiver.lend(slot));
        receiver
    }

    /// The next buffer that was filled, until it is given back.
    pub fn next(&mut self) -> Option<Filled> {
        let Buffers {
            queue,
            memory,
            lent,
            ..
        } = &mut self.0;
        let token = queue.peek_used()?;
        let slot = lent.iter().position(|lent| *lent == Some((token, SIZE)))?;
        let buffer = &mut memory[slot];
        // SAFETY: this is the buffer that was lent under this token.
        let length = unsafe { queue.pop_used(token, &[], &mut [buffer]) }.ok()?;
        lent[slot] = None;
        Some(Filled {
            slot,
            length: SIZE.min(length as usize),
        })
    }

    /// What the device put into a buffer.
    pub fn bytes(&mut self, filled: &Filled) -> &mut [u8] {
        &mut self.0.memory[filled.slot][..filled.length]
    }

    /// Gives a buffer back to the device.
    pub fn give_back(&mut self, filled: Filled, device: &Device) {
        self.lend(filled.slot);
        self.0.notify(device);
    }

    fn lend(&mut self, slot: usize) {
        let Buffers {
            queue,
            memory,
            lent,
            ..
        } = &mut self.0;
        assert!(lent[slot].is_none(), "a buffer is lent once");
        // SAFETY: the buffer is a static one, and is not touched while it is marked as lent.
        let token = unsafe { queue.add(&[], &mut [&mut memory[slot]]) };
        lent[slot] = token.ok().map(|token| (token, SIZE));
    }
}

/// A buffer that a device has filled.
pub struct Filled {
    slot: usize,
    length: usize,
}

/// `N` buffers of `SIZE` bytes that a device empties.
pub struct Sender<const N: usize, const SIZE: usize>(Buffers<N, SIZE>);

impl<const N: usize, const SIZE: usize> Sender<N, SIZE> {
    /// Makes the queue of this number.
    pub fn new(device: &Device, number: u16, memory: &'static mut Memory<N, SIZE>) -> Self {
        Sender(Buffers::new(device, number, memory))
    }

    /// Whether there is a buffer that the device does not have.
    pub fn is_ready(&mut self) -> bool {
        self.free().is_some()
    }

    /// Lets `fill` write the first `length` bytes of a buffer, and gives it to the device. `None`
    /// if the device has all, or it is too long for one.
    pub fn send<R>(
        &mut self,
        length: usize,
        device: &Device,
        fill: impl FnOnce(&mut [u8]) -> R,
    ) -> Option<R> {
        let slot = self.free()?;
        let Buffers {
            queue,
            memory,
            lent,
            ..
        } = &mut self.0;
        let bytes = memory[slot].get_mut(..length)?;
        let result = fill(bytes);
        // SAFETY: the buffer is a static one, and is not touched while it is marked as lent.
        let token = unsafe { queue.add(&[bytes], &mut []) }.ok()?;
        lent[slot] = Some((token, length));
        self.0.notify(device);
        Some(result)
    }

    fn free(&mut self) -> Option<usize> {
        let Buffers {
            queue,
            memory,
            lent,
            ..
        } = &mut self.0;
        while let Some(token) = queue.peek_used() {
            let slot = lent
                .iter()
                .position(|lent| lent.is_some_and(|(its, _)| its == token))?;
            let (_, length) = lent[slot]?;
            // SAFETY: this is what was lent under this token.
            unsafe { queue.pop_used(token, &[&memory[slot][..length]], &mut []) }.ok()?;
            lent[slot] = None;
        }
        lent.iter().position(Option::is_none)
    }
}

/// Buffers for a queue.
pub type Memory<const N: usize, const SIZE: usize> = [[u8; SIZE]; N];

/// A queue, and the buffers that go through it.
struct Buffers<const N: usize, const SIZE: usize> {
    number: u16,
    queue: VirtQueue<Pages, N>,
    memory: &'static mut Memory<N, SIZE>,
    /// Which buffers the device has: under which token, and how much of each.
    lent: [Option<(u16, usize)>; N],
}

impl<const N: usize, const SIZE: usize> Buffers<N, SIZE> {
    fn new(device: &Device, number: u16, memory: &'static mut Memory<N, SIZE>) -> Self {
        let mut transport = device.transport.borrow_mut();
        let queue = VirtQueue::new(&mut *transport, number, false, false);
        Buffers {
            number,
            queue: queue.expect("QEMU's devices have all queues of their kind"),
            memory,
            lent: [None; N],
        }
    }

    fn notify(&mut self, device: &Device) {
        if self.queue.should_notify() {
            device.transport.borrow_mut().notify(self.number);
        }
    }
}

/// How many pages the queues take: two each.
const PAGES: usize = 14;

#[repr(C, align(4096))]
struct Pool(UnsafeCell<[[u8; PAGE_SIZE]; PAGES]>);

// SAFETY: each page is handed out once.
unsafe impl Sync for Pool {}

static POOL: Pool = Pool(UnsafeCell::new([[0; PAGE_SIZE]; PAGES]));
static USED: AtomicUsize = AtomicUsize::new(0);

/// The memory the queues are in, for the processor and for devices: they see the same addresses.
pub struct Pages;

// SAFETY: the pages are zeroed, whole, and handed out once, since they are never taken back.
// Without a memory management unit every address is a physical one.
unsafe impl Hal for Pages {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let first = USED.fetch_add(pages, Ordering::AcqRel);
        assert!(first + pages <= PAGES, "there are pages for all queues");
        // SAFETY: the page is within the pool, as was just seen.
        let page = unsafe { POOL.0.get().cast::<[u8; PAGE_SIZE]>().add(first) };
        let page = NonNull::new(page.cast::<u8>()).expect("a static has an address");
        (page.addr().get() as PhysAddr, page)
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        0
    }

    unsafe fn mmio_phys_to_virt(_: PhysAddr, _: usize) -> NonNull<u8> {
        unreachable!("only PCI asks for this")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().expose_provenance().get() as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}
