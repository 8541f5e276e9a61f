//! rmqtt, as this project embeds it: `monster broker`.

use std::path::Path;
use std::process::Command;

use umqtt::Version;

use super::{Broker, Server};

/// Where the version that is built stands.
const LOCK_FILE: &str = include_str!("../../../Cargo.lock");

pub struct Rmqtt;

impl Broker for Rmqtt {
    fn name(&self) -> &'static str {
        "rmqtt"
    }

    fn versions(&self) -> &'static [Version] {
        &[Version::V3_1_1, Version::V5]
    }

    fn setup(&self) -> &'static str {
        "as `monster broker` embeds it: in memory, for everybody"
    }

    fn start(&self) -> Server {
        let (_, after) = LOCK_FILE
            .split_once("name = \"rmqtt\"\nversion = \"")
            .expect("Cargo.lock has rmqtt");
        let release = after.split('"').next().unwrap_or("?").to_owned();
        Server::start(release, Version::V5, command, None)
    }
}

fn command(_: &Path, port: u16) -> Command {
    let this = std::env::current_exe().expect("a program knows where it is");
    // Beside this program, or, for one in `deps`, above it.
    let monster = this
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("monster"))
        .find(|file| file.is_file())
        .expect("`cargo build --package monster-desk` builds `monster`");
    let mut command = Command::new(monster);
    command.args(["broker", "--port", &port.to_string()]);
    command
}
