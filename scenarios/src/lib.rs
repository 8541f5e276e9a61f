//! What a Monster device must do with a real broker, and a harness to show it: the same scenarios for every board.
//!
//! A scenario is a function of a [`World`](world::World), which makes devices of any [`Board`](device::Board) and
//! brokers to go with them. [`table`] lists them all; `tests/scenarios.rs` plays each on each of the [boards](table::BOARDS), and
//! prints one table. The next board needs a `Board`, and a place in that list.
//!
//! The peers are not ours: Debian's mosquitto ([`broker`]), its clients ([`publisher`], [`observer`]), and, for what
//! no real broker sends, a test that plays the broker through somebody else's codec ([`scripted`]). Between them and
//! the device a [`proxy`] makes the network as bad as a test wants it.
//!
//! Every wait has a limit, and whatever fails prints what each party saw.

#![forbid(unsafe_code)]

pub mod broker;
pub mod certificates;
pub mod chaos;
pub mod desk;
pub mod device;
pub mod latency;
pub mod names;
pub mod observer;
pub mod phone;
pub mod process;
pub mod proxy;
pub mod publisher;
mod scenario;
pub mod scratch;
pub mod scripted;
pub mod table;
pub mod time_server;
pub mod virt;
pub mod world;
