//! Whether Home Assistant takes what the device tells it: its own code is asked, from PyPI.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use monster::homeassistant::write_announcement;
use monster::identity::DeviceId;
use monster::settings::Settings;

use crate::command::{Failed, Task, cargo, program, root};
use crate::{packages, page};

/// Where everything of it is, below the root of the repository.
const FOLDER: &str = "target/homeassistant";
/// What Home Assistant runs on.
const PYTHON: &str = "3.14";
/// Where the parts come from where this computer's own are too old: Debian's newest.
const DEBIAN: &str = "http://deb.debian.org/debian";
/// What MQTT in Home Assistant needs; the one has the other as its requirement, installed when it is used.
const PACKAGES: [&str; 2] = ["homeassistant", "paho-mqtt"];
/// Home Assistant wants exactly one version of this, which has to be compiled; none of what is asked here uses it.
const OVERRIDE: &str = "lru-dict>=1.3\n";

/// What `--live` runs beside it, and Debian's packages that have it.
const BESIDE: [(&str, &str); 3] = [
    ("mosquitto", "mosquitto"),
    ("node", "nodejs"),
    ("ip", "iproute2"),
];
/// What would have to be compiled, and only listens to voices: the package, the module, and what is imported of it, of
/// which there is an empty one.
const STAND_INS: [(&str, &str, &str); 2] = [
    ("pymicro-vad", "pymicro_vad", "MicroVad"),
    ("pyspeex-noise", "pyspeex_noise", "AudioProcessor"),
];
/// The picture for the documentation.
const PICTURE: &str = "docs/pictures/home-assistant.webp";
/// Home Assistant's own settings there: nothing but its pages.
const CONFIGURATION: &str = "\
homeassistant:
  name: Home
  time_zone: UTC
  unit_system: metric
frontend:
config:
history:
logbook:
";

/// What the settings offer, of those that may change the message. The others are not read for it.
const OFFERED: [(&str, &[&str]); 8] = [
    ("climate.kind", &["dht22", "dht11", "none"]),
    ("classic.enabled", &["true", "false"]),
    ("classic.retained", &["ignore", "obey"]),
    ("homeassistant.prefix", &["homeassistant", "ha/discovery"]),
    ("groups", &["", "kitchen,灯"]),
    ("switch.inverted", &["true", "false"]),
    ("button.gpio", &["", "9"]),
    ("log.mqtt", &["off", "info"]),
];
/// The ids, up to the longest there is.
const IDS: [&str; 3] = ["a1b2c3d4e5f6", "0", "abcdefghijklmnopqrstuvw"];

/// How Home Assistant is asked.
#[derive(Args)]
pub struct Options {
    /// Run it, too, with a device on its broker: it must find the device, move its switch, and forget it.
    #[arg(long)]
    live: bool,
    /// Take the picture of its page of the device, for the documentation, on the way.
    #[arg(long, requires = "live")]
    picture: bool,
}

/// Gives the message of every combination of settings to Home Assistant's own code.
pub fn homeassistant(options: &Options) -> Result<(), Failed> {
    let folder = root().join(FOLDER);
    let python = Python::find(&folder)?;
    let messages = python.inside().join("messages");
    let _ = fs::remove_dir_all(&messages);
    fs::create_dir_all(&messages).map_err(|error| wrong(&messages, error))?;
    let (combinations, different) = every_message()?;
    for (name, message) in &different {
        let path = messages.join(format!("{name}.json"));
        fs::write(&path, message).map_err(|error| wrong(&path, error))?;
    }
    println!(
        "{combinations} combinations of settings make {} different messages",
        different.len()
    );
    let check = python.inside().join("check.py");
    fs::write(&check, include_str!("homeassistant/check.py")).map_err(|it| wrong(&check, it))?;
    python.run(["check.py", "messages"])?.run()?;
    match options.live {
        true => live(&python, &folder, options.picture),
        false => Ok(()),
    }
}

/// Runs Home Assistant with a device and a broker, in a network of their own.
fn live(python: &Python, folder: &Path, picture: bool) -> Result<(), Failed> {
    packages::install_missing(&BESIDE)?;
    if picture {
        page::install()?;
    }
    cargo("build --package monster-desk").run()?;
    let script = python.inside().join("requirements.py");
    let text = include_str!("homeassistant/requirements.py");
    fs::write(&script, text).map_err(|error| wrong(&script, error))?;
    let left_out = STAND_INS.map(|(package, ..)| package);
    let more = python.run([&["requirements.py"], &left_out[..]].concat())?;
    let more = more.output()?;
    let more: Vec<&str> = more.lines().collect();
    python.add(folder, &[&PACKAGES[..], &more].concat())?;
    for (_, module, class) in STAND_INS {
        let path = python.inside().join(format!("packages/{module}.py"));
        fs::write(&path, format!("class {class}: pass\n")).map_err(|error| wrong(&path, error))?;
    }

    let config = python.inside().join("config");
    let _ = fs::remove_dir_all(&config);
    fs::create_dir_all(&config).map_err(|error| wrong(&config, error))?;
    let file = config.join("configuration.yaml");
    fs::write(&file, CONFIGURATION).map_err(|error| wrong(&file, error))?;
    let words = ["-m", "homeassistant", "--config", "config", "--skip-pip"];
    let command = python.run(words)?.words();
    let text = |path: &Path| packages::path_text(path).map(|text| format!("{text:?}"));
    let picture = match picture {
        true => format!(r#","picture":{}"#, text(&root().join(PICTURE))?),
        false => String::new(),
    };
    let parts = format!(
        r#"{{"root":{},"folder":{},"homeassistant":{command:?}{picture}}}"#,
        text(&root())?,
        text(&folder.join("live"))?,
    );
    let live = root().join("xtask/src/homeassistant/live.mjs");
    // Programs in the small Debian find what a system has of its kernel.
    let prepare = match python {
        Python::Own(_) => String::new(),
        Python::Debian(system) => format!(
            "touch {0}/.dockerenv && mount -t proc proc {0}/proc && mount --rbind /dev {0}/dev && ",
            packages::path_text(system)?
        ),
    };
    let run = format!("ip link set lo up && {prepare}exec timeout 570 node \"$0\" \"$1\"");
    let spaces = [
        "--net",
        "--pid",
        "--mount",
        "--mount-proc",
        "--fork",
        "--kill-child",
    ];
    packages::as_root("unshare")
        .args(spaces)
        .args(["sh", "-c", &run, packages::path_text(&live)?, &parts])
        .run()
}

/// How many combinations of settings there are, and the different messages they make, by a name.
fn every_message() -> Result<(usize, BTreeMap<String, String>), Failed> {
    let mut combinations = vec![Settings::default()];
    for (key, values) in OFFERED {
        let mut more = Vec::new();
        for settings in &combinations {
            for value in values {
                let mut settings = settings.clone();
                let set = settings.set(key, value);
                set.map_err(|error| Failed::Advice(error.to_string()))?;
                more.push(settings);
            }
        }
        combinations = more;
    }
    let mut names = BTreeMap::new();
    for id in IDS {
        let id = DeviceId::parse(id).map_err(|error| Failed::Advice(error.to_string()))?;
        for settings in &combinations {
            let mut message = String::new();
            let written = write_announcement(&id, settings, &mut message);
            written.map_err(|error| Failed::Advice(error.to_string()))?;
            let kind = settings.climate.kind.as_str();
            names.entry(message).or_insert(format!("{id}-{kind}"));
        }
    }
    let different: BTreeMap<_, _> = names.into_iter().map(|(it, name)| (name, it)).collect();
    Ok((combinations.len() * IDS.len(), different))
}

/// A Python with Home Assistant.
enum Python {
    /// This computer's, which is new enough; the folder that is to be its own.
    Own(PathBuf),
    /// In a system of its own, in this folder.
    Debian(PathBuf),
}

impl Python {
    /// Takes what this computer has, and installs what it has not. The first time takes a minute.
    fn find(folder: &Path) -> Result<Self, Failed> {
        fs::create_dir_all(folder).map_err(|error| wrong(folder, error))?;
        let name = format!("python{PYTHON}");
        let python = if program(&name).args(["--version"]).output().is_ok() {
            Python::Own(folder.to_path_buf())
        } else {
            Python::Debian(debian(folder)?)
        };
        python.install(folder)?;
        Ok(python)
    }

    /// The folder in which its programs run.
    fn inside(&self) -> PathBuf {
        match self {
            Python::Own(folder) => folder.join("inside"),
            Python::Debian(system) => system.join("inside"),
        }
    }

    /// Home Assistant and what it needs, by `uv`: it is not asked of the Python itself, which may be in a system
    /// without a network.
    fn install(&self, folder: &Path) -> Result<(), Failed> {
        let done = self.inside().join("installed");
        if done.is_file() {
            return Ok(());
        }
        self.add(folder, &PACKAGES)?;
        fs::write(&done, "").map_err(|error| wrong(&done, error))
    }

    /// Installs packages from PyPI, unless they are there.
    fn add(&self, folder: &Path, packages: &[&str]) -> Result<(), Failed> {
        let (inside, overrides) = (self.inside(), folder.join("overrides.txt"));
        let uv = packages::from_pypi("uv", "uv", &folder.join("uv"))?;
        fs::create_dir_all(&inside).map_err(|error| wrong(&inside, error))?;
        fs::write(&overrides, OVERRIDE).map_err(|error| wrong(&overrides, error))?;
        let version = self.run(["-c", "import platform; print(platform.python_version())"])?;
        let version = version.output()?;
        program(packages::path_text(&uv)?)
            .args(["pip", "install", "--quiet", "--only-binary", ":all:"])
            // Those that have no code to compile, and no wheel.
            .args(["--no-binary", "pyric", "--no-binary", "pyturbojpeg"])
            .args(["--python-version", version.trim()])
            .args([Path::new("--overrides"), &overrides])
            .args([Path::new("--target"), &inside.join("packages")])
            .args(packages)
            .run()
    }

    /// Python with these words, in its folder.
    fn run<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Result<Task, Failed> {
        let task = match self {
            Python::Own(_) => program(&format!("python{PYTHON}"))
                .within(&self.inside())
                .env("PYTHONPATH", "packages"),
            Python::Debian(system) => packages::as_root("chroot")
                .args([packages::path_text(system)?, "env"])
                // Nothing of this system's is there.
                .args(["-i", "-C", "/inside", "PATH=/usr/bin:/bin", "HOME=/inside"])
                .args(["PYTHONPATH=/inside/packages", "python3"]),
        };
        Ok(task.args(words))
    }
}

/// A minimal Debian sid with its Python, made by debootstrap.
fn debian(folder: &Path) -> Result<PathBuf, Failed> {
    let (system, done) = (folder.join("sid"), folder.join("sid-made"));
    if done.is_file() {
        return Ok(system);
    }
    packages::install_missing(&[("debootstrap", "debootstrap")])?;
    eprintln!("there is no python{PYTHON} here: making a small Debian that has it below {FOLDER}");
    // What an attempt left that was broken off.
    packages::as_root("rm")
        .args([Path::new("-rf"), &system])
        .run()?;
    packages::as_root("timeout")
        .args([
            "600",
            "debootstrap",
            "--variant=minbase",
            "--include=python3",
        ])
        .args(["sid", packages::path_text(&system)?, DEBIAN])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()?;
    let inside = system.join("inside");
    // Where it was made by root, it is filled by us.
    packages::as_root("install")
        .args(["--directory", "--mode=0777", packages::path_text(&inside)?])
        .run()?;
    fs::write(&done, "").map_err(|error| wrong(&done, error))?;
    Ok(system)
}

fn wrong(path: &Path, error: impl std::fmt::Display) -> Failed {
    Failed::Advice(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changes_the_message_makes_another() {
        let (combinations, different) = every_message().unwrap();
        assert_eq!(combinations, 3 * 128 * 3);
        let names: Vec<&str> = different.keys().map(|name| &**name).collect();
        assert_eq!(
            names.len(),
            2 * IDS.len(),
            "with a sensor and without: {names:?}"
        );
    }
}
