//! Where the console can be reached: a few ports of a few networks, and who listens at which.

use core::cell::Cell;

use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_net::tcp::{State, TcpSocket};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::watch::{DynReceiver, Watch};
use embassy_time::{Duration, with_timeout};
use monster_console::Entrance;

use super::PORTS;

/// How long it may take from a knock until somebody comes in.
const KNOCK: Duration = Duration::from_secs(1);
/// How many may listen, or wait to.
const LISTENERS: usize = 16;

/// How many doors there are.
pub(super) const DOORS: usize = PORTS.len() * NETWORKS;
/// At how many networks: that which is joined, and the access point's own.
const NETWORKS: usize = if cfg!(feature = "access-point") { 2 } else { 1 };

/// The networks of a board at which it has a console.
#[derive(Clone, Copy)]
pub struct Networks<'a> {
    /// The one that is joined.
    pub joined: Stack<'a>,
    /// That of the access point.
    #[cfg(feature = "access-point")]
    pub own: Stack<'a>,
}

/// A port of a network.
pub(super) struct Door<'a> {
    stack: Stack<'a>,
    port: u16,
    entrance: Entrance,
    is_open: Cell<bool>,
    /// How many listen there.
    listeners: Cell<usize>,
}

impl<'a> Door<'a> {
    /// A door at this port of this network. That to the access point is closed at first.
    const fn new(stack: Stack<'a>, port: u16, entrance: Entrance) -> Self {
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

    /// Waits for a visitor, but not for longer than until `leave`. Returns whether there is one.
    pub(super) async fn accept(
        &self,
        socket: &mut TcpSocket<'_>,
        leave: impl Future<Output = ()>,
    ) -> bool {
        match select(socket.accept(self.port), leave).await {
            Either::First(accepted) => accepted.is_ok(),
            // Whoever is at the door just now is let in.
            Either::Second(()) => {
                socket.state() != State::Listen
                    && with_timeout(KNOCK, socket.wait_write_ready()).await.is_ok()
            }
        }
    }

    /// Whether somebody should listen there, and nobody does.
    pub(super) fn is_deserted(&self) -> bool {
        self.is_open.get() && self.listeners.get() == 0
    }
}

/// All doors of a console. A socket listens at one port of one network, and there is no queue: as many
/// can come at once as listen. So those who are free listen where somebody came last, but for one at
/// each of the other doors.
pub(super) struct Doors<'a> {
    doors: [Door<'a>; DOORS],
    /// Where somebody came last.
    busiest: Cell<usize>,
    /// Somebody came, went, or a door was opened or closed.
    changed: Watch<NoopRawMutex, (), LISTENERS>,
}

/// How somebody hears that doors are not as they were.
pub(super) type News<'a> = DynReceiver<'a, ()>;

impl<'a> Doors<'a> {
    /// Those at the [`PORTS`] of these networks.
    pub fn new(networks: Networks<'a>) -> Self {
        let [first, second] = PORTS;
        let Networks {
            joined,
            #[cfg(feature = "access-point")]
            own,
        } = networks;
        let doors = [
            Door::new(joined, first, Entrance::Network),
            Door::new(joined, second, Entrance::Network),
            #[cfg(feature = "access-point")]
            Door::new(own, first, Entrance::AccessPoint),
            #[cfg(feature = "access-point")]
            Door::new(own, second, Entrance::AccessPoint),
        ];
        Doors {
            doors,
            busiest: Cell::new(0),
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

    /// The door where somebody more is needed most; none if all are closed.
    pub(super) fn neediest(&self) -> Option<&Door<'a>> {
        let busiest = self.busiest();
        if busiest.is_none_or(Door::is_deserted) {
            return busiest;
        }
        let deserted = self.doors.iter().find(|door| door.is_deserted());
        deserted.or(busiest)
    }

    /// The open door where somebody came last; if it is closed, any other.
    fn busiest(&self) -> Option<&Door<'a>> {
        let last = self.doors.get(self.busiest.get());
        let open = |door: &&Door<'_>| door.is_open.get();
        last.filter(open).or_else(|| self.doors.iter().find(open))
    }

    /// Somebody came.
    pub(super) fn came_by(&self, door: &Door<'a>) {
        let place = self.doors.iter().position(|its| core::ptr::eq(its, door));
        self.busiest.set(place.unwrap_or_default());
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
        let came = door.accept(socket, moves).await;
        if came {
            self.came_by(door);
        }
        came
    }

    /// Whether one of those at this door is needed more elsewhere.
    fn should_move(&self, door: &Door<'a>) -> bool {
        let is_crowded = door.listeners.get() > 1;
        let busiest = self.busiest();
        match busiest.is_some_and(|busiest| core::ptr::eq(busiest, door)) {
            _ if !door.is_open.get() => true,
            true => is_crowded && self.doors.iter().any(Door::is_deserted),
            false => is_crowded || busiest.is_some_and(Door::is_deserted),
        }
    }

    fn tell(&self) {
        self.changed.sender().send(());
    }
}

/// Somebody who listens at a door, for as long as this is kept.
struct Listening<'d, 'a> {
    door: &'d Door<'a>,
    doors: &'d Doors<'a>,
}

impl<'d, 'a> Listening<'d, 'a> {
    fn at(door: &'d Door<'a>, doors: &'d Doors<'a>) -> Self {
        door.listeners.update(|count| count.saturating_add(1));
        doors.tell();
        Listening { door, doors }
    }
}

impl Drop for Listening<'_, '_> {
    fn drop(&mut self) {
        self.door.listeners.update(|count| count.saturating_sub(1));
        self.doors.tell();
    }
}
