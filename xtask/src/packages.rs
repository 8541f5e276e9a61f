//! What the tests need and Rust does not bring: installed where it is missing.

use std::env;

use crate::command::{Failed, program};

/// A program the tests use, and Debian's package that has it.
const PROGRAMS: [(&str, &str); 5] = [
    ("mosquitto", "mosquitto"),
    ("mosquitto_pub", "mosquitto-clients"),
    ("mosquitto_sub", "mosquitto-clients"),
    ("dnsmasq", "dnsmasq-base"),
    ("openssl", "openssl"),
];

/// Installs what the tests need.
pub fn install() -> Result<(), Failed> {
    install_missing(&PROGRAMS)
}

/// Installs the packages of those programs that are missing, with `apt-get`; says what to do where
/// there is none. A program is a name on the path, or the path of a file.
pub fn install_missing(programs: &[(&str, &'static str)]) -> Result<(), Failed> {
    let mut packages: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, package)| *package)
        .collect();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    if !is_installed("apt-get") {
        return Err(Failed::Advice(format!(
            "this needs {names}, and there is no apt-get to install it with. Install it by hand \
             (as `brew install mosquitto` does) and start again."
        )));
    }
    eprintln!("installing {names}");
    apt_get(&["update", "--quiet"])?;
    apt_get(
        &[
            &["install", "--quiet", "--yes", "--no-install-recommends"],
            &packages[..],
        ]
        .concat(),
    )
}

fn apt_get(words: &[&str]) -> Result<(), Failed> {
    let task = if is_root() {
        program("apt-get").args(words)
    } else {
        program("sudo").args(["apt-get"]).args(words)
    };
    // What it says is for nobody, unless it fails: some tasks print figures for other programs.
    let task = task.env("DEBIAN_FRONTEND", "noninteractive");
    task.output().map(drop)
}

fn is_root() -> bool {
    std::process::Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Whether a program of this name is on the path. Debian keeps servers in `/usr/sbin`, which is not
/// on everybody's.
fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .any(|folder| folder.join(program).is_file())
}
