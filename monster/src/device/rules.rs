//! What a device goes by of its settings.

use crate::settings::value::{ClimateKind, Groups, OnFailure};
use crate::settings::{
    ClassicSettings, HomeAssistantSettings, MqttSettings, Settings, StructuredSettings, Uplink,
};

/// The settings that a device needs for as long as it runs. The others it has taken in at its start,
/// or are for its board.
pub(crate) struct Rules {
    pub uplink: Uplink,
    pub mqtt: MqttSettings,
    pub classic: ClassicSettings,
    pub structured: StructuredSettings,
    pub homeassistant: HomeAssistantSettings,
    pub groups: Groups,
    pub climate: ClimateKind,
    pub on_failure: OnFailure,
}

impl Rules {
    pub fn new(settings: Settings) -> Self {
        Rules {
            uplink: Uplink::new(&settings.wifi, &settings.broker),
            mqtt: settings.mqtt,
            classic: settings.classic,
            structured: settings.structured,
            homeassistant: settings.homeassistant,
            groups: settings.groups,
            climate: settings.climate.kind,
            on_failure: settings.on_failure,
        }
    }

    /// Whether Home Assistant is spoken to.
    pub fn has_home_assistant(&self) -> bool {
        self.structured.enabled && self.homeassistant.enabled
    }
}
