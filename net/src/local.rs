//! Whoever is at the device itself, at its console. Without one there is nobody.

#[cfg(feature = "console")]
pub(crate) use crate::console::Local;
#[cfg(not(feature = "console"))]
pub(crate) use nobody::Local;

#[cfg(not(feature = "console"))]
#[allow(
    clippy::extra_unused_type_parameters,
    reason = "they are those of a console"
)]
mod nobody {
    use core::fmt;
    use core::future::pending;

    use embedded_storage_async::nor_flash::NorFlash;
    use monster::device::{Device, Start};
    use monster::identity::DeviceId;
    use monster::settings::value::LogLevel;
    use monster::trial::Outcome;
    use monster::wifi::Networks;
    use monster_store::Store;
    use umqtt::Instant;

    use crate::radio::Credentials;
    use crate::run::{Board, Shared};

    pub(crate) struct Local;

    /// Nobody wants anything.
    pub(crate) enum Request {}

    impl Local {
        pub async fn start<B: Board, F: NorFlash>(_: &B, _: &Start, _: &mut Store<F>) -> Self {
            Local
        }

        pub fn log(&self, _: LogLevel, _: fmt::Arguments<'_>) {}

        pub fn update(&self, _: &Device<'_>, _: Instant) {}

        pub fn deadline(&self) -> Option<Instant> {
            None
        }

        pub async fn request(&self) -> Request {
            pending().await
        }

        pub async fn carry_out<B: Board, F: NorFlash>(
            &self,
            request: Request,
            _: &Shared<'_>,
            _: &mut Store<F>,
        ) {
            match request {}
        }

        pub async fn store_changes<F: NorFlash>(&self, _: &mut Store<F>) -> Result<(), &str> {
            Ok(())
        }

        pub async fn tried(&self, _: Outcome) {}

        pub async fn credentials<B: Board, F: NorFlash>(
            &self,
            _: &DeviceId,
            _: &mut Store<F>,
        ) -> Option<Credentials> {
            None
        }

        pub fn set_access_point(&self, _: bool) {}

        pub fn set_network(&self, _: bool) {}

        pub fn was_portal_used(&self) -> bool {
            false
        }

        pub async fn scan_wanted(&self) {
            pending().await
        }

        pub fn heard(&self, _: Networks) {}

        pub async fn farewell(&self) {}
    }
}
