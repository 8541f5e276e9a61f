//! The command line: what can be said to `monster`, and the help that explains it.
//!
//! What is wrong with a *setting* is not decided here but in [`config`](crate::config), which knows
//! where each value came from and never repeats a secret.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Flag, Problem, Sources};
use crate::style;

/// `monster`
#[derive(Parser)]
#[command(
    name = "monster",
    version,
    about = "This computer as an MQTT switch, button and climate sensor.\n\n\
        `monster` alone starts the device. If no broker is set, it brings its own, on this \
        computer only, and says how to talk to it.",
    after_help = AFTER_HELP,
    args_conflicts_with_subcommands = true,
    styles = style::HELP,
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub run: RunArgs,
}

const AFTER_HELP: &str = "\
Every setting can be given in three ways; flags beat the environment, which beats the file, which beats
what was changed at the device itself and is stored:
  --set mqtt.keep_alive=30     MONSTER_MQTT_KEEP_ALIVE=30     mqtt.keep_alive = 30 in monster.toml
`monster settings` explains them all. A password belongs in the file or in the environment
(MONSTER_BROKER_PASSWORD): others on this computer can see the flags of a program.";

#[derive(Subcommand)]
pub enum Command {
    /// Start the device (also what `monster` alone does)
    #[command(after_help = AFTER_HELP)]
    Run(RunArgs),
    /// Send a command to a device, wait for its answer and print it
    #[command(after_help = AFTER_SEND)]
    Send(SendArgs),
    /// Watch the devices on a broker, and toggle their switches
    #[command(after_help = AFTER_WATCH)]
    Watch(WatchArgs),
    /// Start the broker that `monster` brings, and nothing else, until Ctrl-C
    #[command(after_help = AFTER_BROKER)]
    Broker(OwnBrokerArgs),
    /// Show every setting: its value, what it is for and what is allowed
    Settings(SettingsArgs),
}

const AFTER_BROKER: &str = "\
It is for this computer only, speaks MQTT 3.1.1 and 5, keeps everything in memory, and prints its
URL.";

#[derive(Args)]
pub struct OwnBrokerArgs {
    /// The port it listens on, 0 for any that is free [default: 1883, or the next one that is free]
    #[arg(long)]
    pub port: Option<u16>,
}

#[derive(Args)]
pub struct RunArgs {
    /// The broker: mqtt://[user[:password]@]host[:port], or mqtts://… for TLS
    #[arg(long, value_name = "URL")]
    pub broker: Option<String>,

    /// The CA that vouches for an mqtts:// broker, in PEM [default: the system's CAs]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<String>,

    /// The certificate to show an mqtts:// broker that asks for one, in PEM
    #[arg(long, value_name = "FILE")]
    pub cert: Option<String>,

    /// The private key to --cert, in PEM
    #[arg(long, value_name = "FILE")]
    pub key: Option<String>,

    /// The device's id: 1 to 23 of 0-9a-z [default: made from this machine's]
    #[arg(long)]
    pub id: Option<String>,

    /// The settings file [default: monster.toml, if there is one here]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The folder in which the device keeps its id and state [default: this platform's]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Any setting, as in --set switch.power_on=restore; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Where the console listens: the page, its API and WebREPL [default: 127.0.0.1:8266, or the
    /// next port that is free]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub console: Option<SocketAddr>,

    /// Serve no console
    #[arg(long, conflicts_with = "console")]
    pub no_console: bool,

    /// Print warnings and errors only
    #[arg(long, short, conflicts_with = "log")]
    pub quiet: bool,

    /// How much to print: error, warn, info or debug
    #[arg(long, value_name = "LEVEL")]
    pub log: Option<String>,
}

impl RunArgs {
    /// The flags that set something, as settings. Those with a name of their own beat `--set`.
    ///
    /// # Errors
    /// A `--set` that sets nothing. It is not repeated: who knows what it holds.
    pub fn flags(&self) -> Result<Vec<Flag>, Problem> {
        let mut flags = Vec::new();
        for text in &self.set {
            let (key, value) = text.split_once('=').ok_or_else(|| {
                Problem::new(
                    "--set",
                    "it takes KEY=VALUE, as in --set mqtt.keep_alive=30",
                )
            })?;
            flags.push(Flag::new("--set", key.trim(), value.trim()));
        }
        let named = [
            ("--broker", "broker.url", &self.broker),
            ("--ca", "broker.ca", &self.ca),
            ("--cert", "broker.cert", &self.cert),
            ("--key", "broker.key", &self.key),
            ("--id", "id", &self.id),
            ("--log", "log.level", &self.log),
        ];
        flags.extend(named_flags(&named));
        if self.quiet {
            flags.push(Flag::new("--quiet", "log.level", "warn"));
        }
        Ok(flags)
    }
}

fn named_flags(named: &[(&'static str, &str, &Option<String>)]) -> Vec<Flag> {
    let given = named
        .iter()
        .filter_map(|(name, key, value)| Some(Flag::new(name, key, value.as_deref()?)));
    given.collect()
}

const AFTER_SEND: &str = "\
Commands:
  on, off, toggle     the switch
  pulse 500           the switch on for 500 ms (50 to 600000)
  th                  temperature and humidity
  restart, identify   the device itself

Exit code: 0 done, 1 refused or no broker, 2 wrong usage, 3 no answer in time.";

#[derive(Args)]
pub struct SendArgs {
    /// The device's id
    pub id: String,

    /// What it is to do, as below
    #[arg(required = true, num_args = 1..)]
    pub command: Vec<String>,

    #[command(flatten)]
    pub broker: BrokerArgs,

    /// How long to wait for the answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub timeout: std::time::Duration,
}

/// Which broker a program talks to that is no device itself.
#[derive(Args)]
pub struct BrokerArgs {
    /// The broker [default: $MONSTER_BROKER, else that of the settings file, else
    /// mqtt://127.0.0.1:1883]
    #[arg(long, value_name = "URL")]
    pub broker: Option<String>,

    /// The CA that vouches for an mqtts:// broker, in PEM [default: the system's CAs]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<String>,

    /// The certificate to show an mqtts:// broker that asks for one, in PEM
    #[arg(long, value_name = "FILE")]
    pub cert: Option<String>,

    /// The private key to --cert, in PEM
    #[arg(long, value_name = "FILE")]
    pub key: Option<String>,

    /// The settings file [default: monster.toml, if there is one here]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl BrokerArgs {
    /// Where the settings of this broker are looked for.
    pub fn sources(&self) -> Sources {
        let flags = named_flags(&[
            ("--broker", "broker.url", &self.broker),
            ("--ca", "broker.ca", &self.ca),
            ("--cert", "broker.cert", &self.cert),
            ("--key", "broker.key", &self.key),
        ]);
        Sources {
            file: self.config.clone(),
            environment: std::env::vars_os().collect(),
            flags,
            ..Sources::default()
        }
    }
}

const AFTER_WATCH: &str = "\
In a terminal it is a table: arrows choose a device, space or t toggles its switch, q quits.
Otherwise, as in a pipe, it is a line for every change.";

#[derive(Args)]
pub struct WatchArgs {
    /// The devices to watch [default: all that the broker knows]
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,

    #[command(flatten)]
    pub broker: BrokerArgs,
}

#[derive(Args)]
pub struct SettingsArgs {
    /// The settings file [default: monster.toml, if there is one here]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The folder in which the device keeps its id and state [default: this platform's]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Only say whether the file is right; exit code 0 if it is, 2 if not
    #[arg(long)]
    pub check: bool,
}

/// The longest `--timeout`, in seconds.
const TIMEOUT_MAX: f64 = 3600.0;

fn seconds(text: &str) -> Result<std::time::Duration, String> {
    text.parse::<f64>()
        .ok()
        .filter(|seconds| *seconds > 0.0 && *seconds <= TIMEOUT_MAX)
        .map(std::time::Duration::from_secs_f64)
        .ok_or_else(|| format!("allowed: seconds, more than 0 and at most {TIMEOUT_MAX}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_subcommand_takes_the_flags_of_run() {
        let cli = Cli::try_parse_from(["monster", "--id", "a1", "--set", "a=b", "--set", "c=d"]);
        let cli = cli.unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.run.id.as_deref(), Some("a1"));
        assert_eq!(cli.run.set, ["a=b", "c=d"]);
    }

    #[test]
    fn a_timeout_is_a_positive_number_of_seconds() {
        for bad in ["0", "-1", "nan", "inf", "x", "", "3601"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(seconds("0.5").unwrap().as_millis(), 500);
    }
}
