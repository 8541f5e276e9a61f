//! Debian's mosquitto.

use std::fs;
use std::path::Path;
use std::process::Command;

use monster_scenarios::process::need;
use umqtt::Version;

use super::{Broker, PASSWORD, Server, USER, printed};

pub struct Mosquitto;

impl Broker for Mosquitto {
    fn name(&self) -> &'static str {
        "mosquitto"
    }

    fn versions(&self) -> &'static [Version] {
        &[Version::V3_1_1, Version::V5]
    }

    fn setup(&self) -> &'static str {
        "Debian's, with `persistence`"
    }

    fn start(&self) -> Server {
        let help = printed(Command::new(need("mosquitto")).arg("-h"));
        let release = help.split_whitespace().nth(2).unwrap_or("?").to_owned();
        Server::start(release, Version::V5, command, None)
    }
}

fn command(folder: &Path, port: u16) -> Command {
    let passwords = folder.join("passwords");
    if !passwords.exists() {
        let made = Command::new(need("mosquitto_passwd"))
            .args(["-b", "-c"])
            .arg(&passwords)
            .args([USER, PASSWORD])
            .output()
            .expect("mosquitto_passwd runs");
        assert!(made.status.success(), "{made:?}");
    }
    // Where it is started by root, it would become a user who cannot read this folder.
    let settings = format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\npassword_file {}\nuser root\n\
         persistence true\npersistence_location {}/\nmax_queued_messages 0\n",
        passwords.display(),
        folder.display()
    );
    let path = folder.join("settings");
    fs::write(&path, settings).expect("the folder is writable");
    let mut command = Command::new(need("mosquitto"));
    command.arg("-c").arg(path);
    command
}
