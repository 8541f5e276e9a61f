//! The radio: QEMU has none, so the bench says what is in the air, and the cables of two network cards
//! are let through or not.

use core::future::ready;

use monster::settings::WifiSettings;
use monster::wifi::Networks;
use monster_net::{Credentials, JoinError, Reason};

use crate::bench::Bench;
use crate::hw::nic::Gate;

/// The radio.
pub struct Radio {
    bench: &'static Bench,
    station: &'static Gate,
    access_point: &'static Gate,
    joined: Option<WifiSettings>,
}

impl Radio {
    /// A radio that has joined nothing.
    pub fn new(bench: &'static Bench, station: &'static Gate, access_point: &'static Gate) -> Self {
        Radio {
            bench,
            station,
            access_point,
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

    async fn scan(&mut self) -> Networks {
        self.bench.scan()
    }

    fn set_access_point(&mut self, credentials: Option<&Credentials>) {
        self.access_point.set(credentials.is_some());
        self.bench.set_access_point(credentials.is_some());
    }
}
