//! Everything a person can set: one typed set, under the same keys on every board and by every
//! way in (a file, the environment, flags, flash).
//!
//! Each setting is declared once, in [the list below](Settings): its key, its meaning, its type and
//! its default. The struct, [`TABLE`], [`Settings::set`] and [`Setting::show`] all follow from that
//! one line, and what is allowed from the type, so they cannot disagree. A type holds only what is
//! allowed ([`value`]), and a [`Secret`] is one that nothing shows. What is wrong only in
//! combination, [`Settings::validate`] finds.
//!
//! ```
//! use monster::settings::Settings;
//!
//! let mut settings = Settings::default();
//! settings.set("mqtt.keep_alive", "30")?;
//! settings.set("broker.url", "mqtt://alice:wonder@broker.example")?;
//! settings.validate()?;
//! assert_eq!(settings.mqtt.keep_alive.seconds(), 30);
//!
//! let error = settings.set("mqtt.keepalive", "30").unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     r#"there is no setting "mqtt.keepalive"; did you mean mqtt.keep_alive?"#
//! );
//! # Ok::<(), monster::settings::SettingError>(())
//! ```

mod broker_url;
mod error;
mod secret;
mod template;
#[cfg(test)]
mod tests;
mod time_server;
mod uplink;
pub mod value;

use core::fmt;

pub use broker_url::{
    BrokerAddress, BrokerUrl, BrokerUrlError, HOST_MAX, PASSWORD_MAX, Scheme, USER_MAX,
};
pub use error::{Conflict, Excerpt, SettingError};
pub use secret::Secret;
pub use template::{
    ClientIdTemplate, ClimateFormat, FILLED_MAX, Filled, HeartbeatFormat, TopicTemplate,
};
pub use time_server::{SyslogServer, TimeServer, UdpServer};
pub use uplink::Uplink;

use crate::identity::DeviceId;
use value::{
    AccessPoint, ClimateKind, Groups, HeartbeatInterval, KeepAlive, Kind, LogLevel, MqttLog,
    MqttSession, MqttVersion, Offset, OnFailure, PinName, PowerOn, Refused, RetainedCommands,
    SchemaVersion, Text, TopicPrefix, Value,
};

/// Makes the structs, [`TABLE`] and the defaults from one list of
/// `/// meaning` `"key" field: Type = "default";`, the groups' fields inside their groups.
macro_rules! settings {
    (
        {
            $( #[doc = $meaning:literal] $key:literal $field:ident: $Type:ty = $default:literal; )*
        }
        $(
            $(#[$about:meta])*
            $group:ident: $Group:ident {
                $(
                    #[doc = $meaning_in:literal]
                    $key_in:literal $field_in:ident: $Type_in:ty = $default_in:literal;
                )*
            }
        )*
    ) => {
        /// All settings of a device. Any value of this type can be used as it is, after
        /// [`validate`](Settings::validate).
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings {
            $( #[doc = $meaning] pub $field: $Type, )*
            $( $(#[$about])* pub $group: $Group, )*
        }

        $(
            $(#[$about])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $Group {
                $( #[doc = $meaning_in] pub $field_in: $Type_in, )*
            }
        )*

        impl Default for Settings {
            fn default() -> Self {
                Settings {
                    $( $field: declared($default), )*
                    $( $group: $Group { $( $field_in: declared($default_in), )* }, )*
                }
            }
        }

        /// Every setting, in the order in which they are best read.
        pub static TABLE: &[Setting] = &[
            $( Setting {
                key: $key,
                meaning: $meaning,
                default: $default,
                is_sensitive: <$Type as Value>::SENSITIVE,
                kind: <$Type as Value>::KIND,
                allowed: <$Type as Value>::allowed,
                show: |settings, f| settings.$field.show(f),
                set: |settings, text| {
                    settings.$field = Value::parse(text)?;
                    Ok(())
                },
            }, )*
            $( $( Setting {
                key: $key_in,
                meaning: $meaning_in,
                default: $default_in,
                is_sensitive: <$Type_in as Value>::SENSITIVE,
                kind: <$Type_in as Value>::KIND,
                allowed: <$Type_in as Value>::allowed,
                show: |settings, f| settings.$group.$field_in.show(f),
                set: |settings, text| {
                    settings.$group.$field_in = Value::parse(text)?;
                    Ok(())
                },
            }, )* )*
        ];
    };
}

settings! {
    {
        /// The format of the settings.
        "version" version: SchemaVersion = "1";
        /// The device's id, from which its topics and names are made.
        "id" id: Option<DeviceId> = "";
        /// The groups whose commands the device obeys too.
        "groups" groups: Groups = "";
        /// What to do when the broker is away: try again, or restart the machine.
        "on_failure" on_failure: OnFailure = "retry";
        /// When the device opens an access point of its own to be set up by; only on a board with WiFi.
        "ap" access_point: AccessPoint = "auto";
    }

    /// The WiFi network to join; only on a board with WiFi.
    wifi: WifiSettings {
        /// The name of the WiFi network; only on a board with WiFi.
        "wifi.ssid" ssid: Text<0, SSID_MAX> = "";
        /// The password of the WiFi network; empty if it is open.
        "wifi.password" password: Secret<WIFI_PASSWORD_MAX, WIFI_PASSWORD_MIN> = "";
    }

    /// Where the broker is and how to log in.
    broker: BrokerSettings {
        /// The broker's address; user and password may stand in it.
        "broker.url" url: Option<BrokerUrl> = "";
        /// The user name; it wins over the one in broker.url.
        "broker.user" user: Text<0, USER_MAX> = "";
        /// The password; it wins over the one in broker.url.
        "broker.password" password: Secret<PASSWORD_MAX> = "";
        /// The file of the CA that vouches for an mqtts:// broker; empty: the system's CAs. Boards keep what is in it, and have no others.
        "broker.ca" ca: Text<0, FILE_MAX> = "";
        /// The file of the device's own certificate, for an mqtts:// broker that asks for one.
        "broker.cert" cert: Text<0, FILE_MAX> = "";
        /// The file of the private key to broker.cert.
        "broker.key" key: Text<0, FILE_MAX> = "";
    }

    /// How MQTT is spoken.
    mqtt: MqttSettings {
        /// The MQTT client id.
        "mqtt.client_id" client_id: ClientIdTemplate = "%id%";
        /// The version of MQTT.
        "mqtt.version" version: MqttVersion = "3.1.1";
        /// The longest silence on the link.
        "mqtt.keep_alive" keep_alive: KeepAlive = "60";
        /// Whether the broker keeps messages while the device is away.
        "mqtt.session" session: MqttSession = "clean";
    }

    /// The classic pair: one topic in, one topic out.
    classic: ClassicSettings {
        /// Whether the classic pair is spoken.
        "classic.enabled" enabled: bool = "true";
        /// The topic commands arrive on.
        "classic.in" topic_in: TopicTemplate = "%id%";
        /// The topic answers and heartbeats leave on.
        "classic.out" topic_out: TopicTemplate = "%id%After";
        /// What is said when the switch is on.
        "classic.on" on: Text<1, PAYLOAD_MAX> = "on-1";
        /// What is said when the switch is off.
        "classic.off" off: Text<1, PAYLOAD_MAX> = "on-0";
        /// What is said of temperature and humidity.
        "classic.th" th: ClimateFormat = "th=%t,%h";
        /// What the heartbeat says.
        "classic.heartbeat" heartbeat: HeartbeatFormat = "t=%n";
        /// What to do with a command that the broker had retained.
        "classic.retained" retained: RetainedCommands = "ignore";
    }

    /// The structured tree, `monster/<id>/…`.
    structured: StructuredSettings {
        /// Whether the structured tree is spoken, and with it the will, diagnostics and groups.
        "structured.enabled" enabled: bool = "true";
    }

    /// Home Assistant, which finds the device by itself.
    homeassistant: HomeAssistantSettings {
        /// Whether Home Assistant is told of the device; only with the structured tree.
        "homeassistant.enabled" enabled: bool = "true";
        /// Where Home Assistant looks for devices: its discovery prefix.
        "homeassistant.prefix" prefix: TopicPrefix = "homeassistant";
    }

    /// The heartbeat of the classic pair.
    heartbeat: HeartbeatSettings {
        /// The time between heartbeats.
        "heartbeat.seconds" interval: HeartbeatInterval = "5";
    }

    /// The switch.
    switch: SwitchSettings {
        /// The switch's pin.
        "switch.gpio" gpio: PinName = "";
        /// Whether the pin is low when the switch is on.
        "switch.inverted" inverted: bool = "false";
        /// The switch's state after the power comes on.
        "switch.power_on" power_on: PowerOn = "on";
    }

    /// The button.
    button: ButtonSettings {
        /// The button's pin: pressed is low.
        "button.gpio" gpio: PinName = "";
    }

    /// The status LED.
    led: LedSettings {
        /// The status LED's pin.
        "led.gpio" gpio: PinName = "";
    }

    /// The sensor of temperature and humidity.
    climate: ClimateSettings {
        /// Which sensor there is.
        "climate.kind" kind: ClimateKind = "dht22";
        /// The sensor's pin, or where the system shows its readings.
        "climate.gpio" gpio: PinName = "";
        /// What is added to the temperature, in °C.
        "climate.temperature_offset" temperature_offset: Offset = "0.0";
        /// What is added to the humidity, in %.
        "climate.humidity_offset" humidity_offset: Offset = "0.0";
    }

    /// The console: the page, the line console and WebREPL.
    console: ConsoleSettings {
        /// The password of the page, WebREPL and the serial console; empty: one the device made up.
        "console.password" password: Secret<CONSOLE_PASSWORD_MAX> = "";
    }

    /// The time of day.
    time: TimeSettings {
        /// Who tells a board the time, without which it cannot trust an mqtts:// broker.
        "time.server" server: Option<TimeServer> = "pool.ntp.org";
    }

    /// The log.
    log: LogSettings {
        /// How much the log says.
        "log.level" level: LogLevel = "info";
        /// How much of the log goes to the broker, on the topic log; only with the structured tree.
        "log.mqtt" mqtt: MqttLog = "off";
        /// Who takes the log by syslog (UDP, RFC 5424).
        "log.syslog" syslog: Option<SyslogServer> = "";
    }
}

/// The longest `wifi.ssid`, in bytes (IEEE 802.11, section 9.4.2.2).
pub const SSID_MAX: usize = 32;
/// The shortest `wifi.password` of a network that is not open, in bytes (WPA2).
pub const WIFI_PASSWORD_MIN: usize = 8;
/// The longest `wifi.password`, in bytes.
pub const WIFI_PASSWORD_MAX: usize = 63;
/// The longest `console.password`, in bytes.
pub const CONSOLE_PASSWORD_MAX: usize = 32;
/// The longest `broker.ca`, `broker.cert` and `broker.key`, in bytes.
pub const FILE_MAX: usize = 200;
/// The longest `classic.on` and `classic.off`, in bytes.
pub const PAYLOAD_MAX: usize = 64;

/// A default from the list above, which a test proves to be allowed.
fn declared<T: Value>(default: &'static str) -> T {
    match T::parse(default) {
        Ok(value) => value,
        Err(reason) => unreachable!("the default {default}: {reason}"),
    }
}

impl Settings {
    /// Sets one setting from text: the same text a file, a flag or a page would hold. Nothing is
    /// changed unless it is taken.
    ///
    /// Set `version` first if there is one: settings of a newer Monster may have keys that are
    /// unknown here, and its error says so.
    ///
    /// # Errors
    /// [`SettingError`] if there is no such key, or the setting does not allow the value.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SettingError> {
        let setting = TABLE
            .iter()
            .find(|setting| setting.key == key)
            .ok_or_else(|| SettingError::unknown_key(key))?;
        (setting.set)(self, value).map_err(|reason| SettingError::refused(setting, value, reason))
    }

    /// Looks for values that exclude each other. Call it once `id` is set, if the board gives one.
    ///
    /// # Errors
    /// [`SettingError::Conflict`], with the first conflict there is.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.first_conflict()
            .map_or(Ok(()), |conflict| Err(SettingError::Conflict(conflict)))
    }

    fn first_conflict(&self) -> Option<Conflict> {
        if !self.classic.enabled && !self.structured.enabled {
            return Some(Conflict::NothingEnabled);
        }
        self.classic_conflict().or_else(|| self.broker.conflict())
    }

    fn classic_conflict(&self) -> Option<Conflict> {
        if !self.classic.enabled {
            return None;
        }
        // While the id is not known, its gap stands for it: no id looks like that.
        let id = self.id.as_ref().map_or("%id%", DeviceId::as_str);
        let topic_in = self.classic.topic_in.fill_raw(id);
        let topic_out = self.classic.topic_out.fill_raw(id);
        if topic_in == topic_out {
            return Some(Conflict::ClassicTopicsEqual(Excerpt::of(&topic_in)));
        }
        [("classic.in", topic_in), ("classic.out", topic_out)]
            .into_iter()
            .find(|(_, topic)| self.structured.enabled && topic.starts_with("monster/"))
            .map(|(key, topic)| Conflict::ClassicTopicInTree(key, Excerpt::of(&topic)))
    }
}

impl BrokerSettings {
    /// What to log in with: `broker.user` and `broker.password`, and for each that is empty, that
    /// of the URL. `None` without a user, since a password alone is not allowed
    /// (\[MQTT-3.1.2-22\]).
    pub fn login(&self) -> Option<Login<'_>> {
        let user = self.user()?.as_str();
        let password = self.password();
        Some(Login { user, password })
    }

    fn user(&self) -> Option<&Text<0, USER_MAX>> {
        let in_url = self.url.as_ref().map(BrokerUrl::user_text);
        [Some(&self.user), in_url]
            .into_iter()
            .flatten()
            .find(|user| !user.as_str().is_empty())
    }

    fn password(&self) -> Option<&Secret<PASSWORD_MAX>> {
        [
            Some(&self.password),
            self.url.as_ref().map(BrokerUrl::password),
        ]
        .into_iter()
        .flatten()
        .find(|password| password.is_set())
    }

    fn conflict(&self) -> Option<Conflict> {
        if self.password().is_some() && self.user().is_none() {
            return Some(Conflict::PasswordWithoutUser);
        }
        let is_plain = |url: &BrokerUrl| url.scheme() == Scheme::Mqtt;
        if self.url.as_ref().is_some_and(is_plain) {
            let files = [
                ("broker.ca", &self.ca),
                ("broker.cert", &self.cert),
                ("broker.key", &self.key),
            ];
            let given = files.iter().find(|(_, file)| !file.as_str().is_empty());
            if let Some((key, _)) = given {
                return Some(Conflict::FileWithoutTls(key));
            }
        }
        match (self.cert.as_str(), self.key.as_str()) {
            ("", "") => None,
            (_, "") => Some(Conflict::CertificateWithoutKey),
            ("", _) => Some(Conflict::KeyWithoutCertificate),
            (_, _) => None,
        }
    }
}

/// What the device tells the broker about who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login<'a> {
    /// The user name; not empty.
    pub user: &'a str,
    /// The password, if one is set.
    pub password: Option<&'a Secret<PASSWORD_MAX>>,
}

/// One row of [`TABLE`]: a setting, described.
pub struct Setting {
    key: &'static str,
    meaning: &'static str,
    default: &'static str,
    is_sensitive: bool,
    kind: Kind,
    allowed: fn(&mut fmt::Formatter<'_>) -> fmt::Result,
    show: fn(&Settings, &mut fmt::Formatter<'_>) -> fmt::Result,
    set: fn(&mut Settings, &str) -> Result<(), Refused>,
}

impl Setting {
    /// The key, as in `broker.url`.
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// What it is for, in a sentence.
    pub fn meaning(&self) -> &'static str {
        // A doc comment begins with a space.
        self.meaning.trim_ascii_start()
    }

    /// How a form asks for it.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Which values it takes, in words.
    pub fn allowed(&self) -> impl fmt::Display + use<> {
        fmt::from_fn(self.allowed)
    }

    /// The default, as the text that sets it.
    pub const fn default_text(&self) -> &'static str {
        self.default
    }

    /// Whether the text given for it may hold a secret: then that text must not be repeated, in a
    /// log or elsewhere. What [`show`](Setting::show) writes may.
    pub const fn is_sensitive(&self) -> bool {
        self.is_sensitive
    }

    /// Its value in `settings`: the text that would set it. A secret is only `(set)` or
    /// `(not set)`, and `broker.url` comes without user and password.
    pub fn show<'a>(&self, settings: &'a Settings) -> impl fmt::Display + use<'a> {
        let show = self.show;
        fmt::from_fn(move |f| show(settings, f))
    }
}

/// Two rows are the same if their key is: there is one per key.
impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Setting {}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Setting({})", self.key)
    }
}
