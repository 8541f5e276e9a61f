//! Where the console can be reached: a few ports of a few networks, and who listens at which.

use core::cell::Cell;

use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::watch::{DynReceiver, Watch};
use monster_console::Entrance;

/// How many may listen, or wait to.
const LISTENERS: usize = 16;

/// A port of a network.
pub struct Door<'a> {
    stack: Stack<'a>,
    port: u16,
    entrance: Entrance,
    is_open: Cell<bool>,
    /// How many listen there.
    listeners: Cell<usize>,
}

impl<'a> Door<'a> {
    /// A door at this port of this network. That to the access point is closed at first.
    pub const fn new(stack: Stack<'a>, port: u16, entrance: Entrance) -> Self {
        Door {
            stack,
            port,
            entrance,
            is_open: Cell::new(matches!(entrance, Entrance::Network)),
            listeners: Cell::new(0),
        }
    }

    pub(super) fn stack(&self) -> Stack<'a> {
        self.stack
    }

    pub(super) fn entrance(&self) -> Entrance {
        self.entrance
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Whether somebody should listen there, and nobody does.
    pub(super) fn is_deserted(&self) -> bool {
        self.is_open.get() && self.listeners.get() == 0
    }
}

/// All doors of a console. A socket listens at one port of one network, so those who are free are
/// spread over the doors, as evenly as may be.
pub struct Doors<'a, const N: usize> {
    doors: [Door<'a>; N],
    /// Somebody came, went, or a door was opened or closed.
    changed: Watch<NoopRawMutex, (), LISTENERS>,
}

/// How somebody hears that doors are not as they were.
pub(super) type News<'a> = DynReceiver<'a, ()>;

impl<'a, const N: usize> Doors<'a, N> {
    /// These doors.
    pub const fn new(doors: [Door<'a>; N]) -> Self {
        Doors {
            doors,
            changed: Watch::new(),
        }
    }

    /// Opens the doors of this entrance, or closes them: nobody listens there any more then, and who
    /// is inside may stay.
    pub fn set_open(&self, entrance: Entrance, is_open: bool) {
        for door in self.doors.iter().filter(|door| door.entrance == entrance) {
            door.is_open.set(is_open);
        }
        self.tell();
    }

    pub(super) fn door(&self, place: usize) -> Option<&Door<'a>> {
        self.doors.get(place)
    }

    /// To hear of changes; none if too many do already.
    pub(super) fn news(&self) -> Option<News<'_>> {
        self.changed.dyn_receiver()
    }

    /// The open door where the fewest listen.
    pub(super) fn emptiest(&self) -> Option<&Door<'a>> {
        let open = self.doors.iter().filter(|door| door.is_open.get());
        open.min_by_key(|door| door.listeners.get())
    }

    /// Waits at a door for a visitor. Returns whether there is one: if not, this is not the place to
    /// wait at any more.
    pub(super) async fn visitor(
        &self,
        door: &Door<'a>,
        socket: &mut TcpSocket<'_>,
        news: &mut News<'_>,
    ) -> bool {
        let _listening = Listening::at(door, self);
        let moves = async {
            while !self.should_move(door) {
                news.changed().await;
            }
        };
        let accepted = select(socket.accept(door.port), moves).await;
        matches!(accepted, Either::First(Ok(())))
    }

    /// Whether one of those at this door is needed more elsewhere.
    fn should_move(&self, door: &Door<'a>) -> bool {
        let is_crowded = door.listeners.get() > 1;
        !door.is_open.get() || (is_crowded && self.doors.iter().any(Door::is_deserted))
    }

    fn tell(&self) {
        self.changed.sender().send(());
    }
}

/// Somebody who listens at a door, for as long as this is kept.
struct Listening<'d, 'a, const N: usize> {
    door: &'d Door<'a>,
    doors: &'d Doors<'a, N>,
}

impl<'d, 'a, const N: usize> Listening<'d, 'a, N> {
    fn at(door: &'d Door<'a>, doors: &'d Doors<'a, N>) -> Self {
        door.listeners.update(|count| count.saturating_add(1));
        doors.tell();
        Listening { door, doors }
    }
}

impl<const N: usize> Drop for Listening<'_, '_, N> {
    fn drop(&mut self) {
        self.door.listeners.update(|count| count.saturating_sub(1));
        self.doors.tell();
    }
}
