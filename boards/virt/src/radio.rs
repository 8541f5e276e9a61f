//! The radio: QEMU has none, so the bench says what is in the air, and the cables of two network cards
//! are let through or not.

use core::future::ready;

use monster::settings::WifiSettings;
use monster_net::{JoinError, Reason};

use crate::bench::Bench;
use crate::hw::nic::Gate;

/// The radio.
pub struct Radio {
    bench: &'static Bench,
    station: &'static Gate,
    joined: Option<WifiSettings>,
}

impl Radio {
    /// A radio that has joined nothing.
    pub fn new(bench: &'static Bench, station: &'static Gate) -> Self {
        Radio {
            bench,
            station,
            joined: None,
        }
    }
}

impl monster_net::Radio for Radio {
    fn join(&mut self, network: &WifiSettings) -> impl Future<Output = Result<(), JoinError>> {
        let result = self.bench.join(network);
        self.joined = result.is_ok().then(|| network.clone());
        self.station.set(result.is_ok());
        ready(result)
    }

    async fn lost(&mut self) -> Reason {
        if let Some(network) = &self.joined {
            self.bench.wait_until_gone(network.ssid.as_str()).await;
        }
        self.station.set(false);
        self.joined = None;
        Reason::new("the access point is not heard any more")
    }

    async fn leave(&mut self) {
        self.station.set(false);
        if self.joined.take().is_some() {
            self.bench.leave();
        }
    }

    fn set_access_point(&mut self, up: bool) {
        self.bench.set_access_point(up);
    }
}
