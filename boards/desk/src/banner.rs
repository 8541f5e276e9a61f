//! What `monster run` says first: what it is, and lines to copy that talk to it.

use std::fmt::{self, Write};
use std::path::Path;

use monster::identity::DeviceId;
use monster::settings::{BrokerUrl, Scheme, Settings};

use crate::pins::wiring::Wiring;
use crate::style::{FAINT, STRONG, TYPE};

/// What the banner tells of.
pub struct Banner<'a> {
    pub id: &'a DeviceId,
    pub settings: &'a Settings,
    pub wiring: &'a Wiring,
    /// The broker was started by this program.
    pub own_broker: bool,
    /// `monster send` finds the broker by itself.
    pub send_finds_broker: bool,
    pub state: &'a Path,
    /// Where the console is, if it is served.
    pub console: Option<&'a Address<'a>>,
    /// How this program was started.
    pub program: &'a str,
    /// Keys do something.
    pub has_keys: bool,
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = env!("CARGO_PKG_VERSION");
        writeln!(
            f,
            "{STRONG}Monster {version}{STRONG:#}: this computer as an MQTT switch, button and climate sensor\n"
        )?;
        let own = if self.own_broker {
            "  (its own, for this computer only)"
        } else {
            ""
        };
        let (id, state) = (self.id, self.state.display());
        let Some(url) = &self.settings.broker.url else {
            return Ok(());
        };
        writeln!(f, "  {FAINT}id{FAINT:#}      {STRONG}{id}{STRONG:#}")?;
        writeln!(f, "  {FAINT}broker{FAINT:#}  {url}{FAINT}{own}{FAINT:#}")?;
        writeln!(f, "  {FAINT}state{FAINT:#}   {state}")?;
        if let Some(console) = self.console {
            writeln!(f, "  {FAINT}console{FAINT:#} {console}")?;
        }
        writeln!(f)?;

        let to_broker = self.mosquitto_flags(url);
        writeln!(f, "Hear all it says, from another terminal:")?;
        line(
            f,
            format_args!("mosquitto_sub{to_broker}{} -v", self.topics_out()),
        )?;
        writeln!(f, "Talk to it:")?;
        let topic_in = self.topic_in();
        line(
            f,
            format_args!("mosquitto_pub{to_broker} -t {topic_in} -m toggle"),
        )?;
        if self.settings.structured.enabled {
            let (program, flags) = (self.program, self.send_flags(url));
            line(f, format_args!("{program} send{flags} {id} toggle"))?;
            line(f, format_args!("{program} send{flags} {id} th"))?;
        }
        if self.has_keys {
            write!(f, "Keys:\n ")?;
            let simulates_button = self.wiring.button.is_none();
            let simulates_sensor = self.wiring.sensor.is_none();
            for (key, meaning, works) in [
                ("b", "press the button", simulates_button),
                ("l", "hold it", simulates_button),
                ("↑ ↓", "temperature", simulates_sensor),
                ("n", "network off, on", true),
                ("c", "console", self.console.is_some()),
                ("q", "quit", true),
            ] {
                if !works {
                    continue;
                }
                write!(f, " {TYPE}{key}{TYPE:#} {meaning}  ")?;
            }
            writeln!(f)?;
        }
        writeln!(f)
    }
}

/// Where the console is, for a browser and for who signs in by hand.
pub struct Address<'a> {
    /// A link that signs in whoever opens it first.
    pub link: &'a str,
    /// The password that was made up, where only a person sees it.
    pub password: Option<&'a str>,
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { link, password } = self;
        // A line of its own: both would not fit a terminal.
        write!(f, "{link}\n{:10}{FAINT}signs in once", "")?;
        if let Some(password) = password {
            write!(f, "; the password is {password}")?;
        }
        write!(f, "{FAINT:#}")
    }
}

fn line(f: &mut fmt::Formatter<'_>, command: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(f, "  {TYPE}{command}{TYPE:#}")
}

impl Banner<'_> {
    /// Where the broker is and how to log in, for mosquitto's clients.
    fn mosquitto_flags(&self, url: &BrokerUrl) -> String {
        let mut flags = String::new();
        // Without TLS any name of this computer is as good as another.
        let is_default = match url.scheme() {
            Scheme::Mqtt => ["localhost", "127.0.0.1"].contains(&url.host()),
            Scheme::Mqtts => url.host() == "localhost",
        };
        if !is_default {
            let _ = write!(flags, " -h {}", url.host());
        }
        // The clients know no other default port.
        if url.port() != Scheme::Mqtt.default_port() {
            let _ = write!(flags, " -p {}", url.port());
        }
        let broker = &self.settings.broker;
        if url.scheme() == Scheme::Mqtts {
            let _ = match broker.ca.as_str() {
                "" => write!(flags, " --tls-use-os-certs"),
                file => write!(flags, " --cafile {}", quoted(file)),
            };
            for (flag, file) in [("--cert", &broker.cert), ("--key", &broker.key)] {
                if !file.as_str().is_empty() {
                    let _ = write!(flags, " {flag} {}", quoted(file.as_str()));
                }
            }
        }
        if let Some(login) = broker.login() {
            let _ = write!(flags, " -u {}", quoted(login.user));
            if login.password.is_some() {
                flags.push_str(" -P PASSWORD");
            }
        }
        flags
    }

    fn send_flags(&self, url: &BrokerUrl) -> String {
        if self.send_finds_broker {
            return String::new();
        }
        let broker = &self.settings.broker;
        let mut url = url.to_string();
        if let Some(login) = broker.login() {
            let password = login.password.map_or("", |_| ":PASSWORD");
            url = url.replacen("://", &format!("://{}{password}@", login.user), 1);
        }
        let mut flags = format!(" --broker {}", quoted(&url));
        for (flag, file) in [
            ("--ca", &broker.ca),
            ("--cert", &broker.cert),
            ("--key", &broker.key),
        ] {
            if !file.as_str().is_empty() {
                let _ = write!(flags, " {flag} {}", quoted(file.as_str()));
            }
        }
        flags
    }

    /// Everything, on a broker that nobody else uses; else what this device says.
    fn topics_out(&self) -> String {
        if self.own_broker {
            return " -t '#'".to_owned();
        }
        let mut topics = String::new();
        if self.settings.structured.enabled {
            let _ = write!(topics, " -t 'monster/{}/#'", self.id);
        }
        if self.settings.classic.enabled {
            let topic = self.settings.classic.topic_out.fill(self.id);
            let _ = write!(topics, " -t {}", quoted(&topic));
        }
        topics
    }

    fn topic_in(&self) -> String {
        if self.settings.classic.enabled {
            quoted(&self.settings.classic.topic_in.fill(self.id))
        } else {
            format!("monster/{}/switch/0/set", self.id)
        }
    }
}

/// A word as a shell takes it for one.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:@%+,=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// How to start this program again: the lines to copy must work as they stand.
pub fn program() -> String {
    if std::env::var("CARGO_PKG_NAME").is_ok_and(|name| name == env!("CARGO_PKG_NAME")) {
        return "cargo run -q --".to_owned();
    }
    let program = std::env::args_os().next().unwrap_or_default();
    match program.to_str() {
        Some(path) if !path.is_empty() => quoted(path),
        _ => "monster".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn banner(url: &str, settings: &[(&str, &str)], own_broker: bool) -> String {
        let mut all = Settings::default();
        all.set("broker.url", url).unwrap();
        for (key, value) in settings {
            all.set(key, value).unwrap();
        }
        let text = Banner {
            id: &DeviceId::parse("a1").unwrap(),
            settings: &all,
            wiring: &Wiring::default(),
            own_broker,
            send_finds_broker: own_broker,
            state: Path::new("/state"),
            console: None,
            program: "monster",
            has_keys: false,
        }
        .to_string();
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn its_own_broker_needs_no_flags() {
        let text = banner("mqtt://127.0.0.1", &[], true);
        for line in [
            "mosquitto_sub -t '#' -v",
            "mosquitto_pub -t a1 -m toggle",
            "monster send a1 toggle",
        ] {
            assert!(text.contains(&format!("  {line}\n")), "{line}\n{text}");
        }
    }

    #[test]
    fn another_broker_is_named_with_all_it_takes_but_the_password() {
        let settings = [
            ("broker.ca", "my ca.pem"),
            ("broker.cert", "a.pem"),
            ("broker.key", "b.pem"),
        ];
        let text = banner("mqtts://al:hunter2@broker.example:8884", &settings, false);
        for line in [
            "mosquitto_sub -h broker.example -p 8884 --cafile 'my ca.pem' --cert a.pem --key b.pem \
             -u al -P PASSWORD -t 'monster/a1/#' -t a1After -v",
            "mosquitto_pub -h broker.example -p 8884 --cafile 'my ca.pem' --cert a.pem --key b.pem \
             -u al -P PASSWORD -t a1 -m toggle",
            "monster send --broker mqtts://al:PASSWORD@broker.example:8884 --ca 'my ca.pem' --cert \
             a.pem --key b.pem a1 toggle",
        ] {
            assert!(text.contains(&format!("  {line}\n")), "{line}\n{text}");
        }
        assert!(!text.contains("hunter2"));
    }

    #[test]
    fn only_what_is_spoken_is_shown() {
        let classic = banner("mqtt://h", &[("structured.enabled", "false")], false);
        assert!(!classic.contains("monster send"), "{classic}");
        assert!(!classic.contains("monster/a1"), "{classic}");
        let structured = banner("mqtt://h", &[("classic.enabled", "false")], false);
        assert!(
            structured.contains("-t monster/a1/switch/0/set -m toggle"),
            "{structured}"
        );
        assert!(!structured.contains("a1After"), "{structured}");
    }

    #[test]
    fn a_shell_takes_every_word_for_one() {
        assert_eq!(quoted("a/b%c"), "a/b%c");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
