//! Building for machines without an operating system.
//!
//! rustup brings `core` and `alloc` for their targets. Where it cannot be had, Debian's compiler
//! builds them from source, and rustup's linker links them; nobody else needs to know which.

use std::env;
use std::path::PathBuf;

use crate::command::{Failed, Task, cargo, program};
use crate::packages;

/// What Debian's way needs.
const DEBIAN: [(&str, &str); 4] = [
    ("/usr/bin/rustc", "rustc-web"),
    ("/usr/bin/cargo", "cargo-web"),
    ("/usr/bin/cargo-clippy", "rust-web-clippy"),
    (
        "/usr/lib/rustlib/src/rust/library/Cargo.lock",
        "rust-web-src",
    ),
];

/// What builds for one target.
pub struct Toolchain {
    target: &'static str,
    kind: Kind,
}

enum Kind {
    Rustup,
    /// With the folder of `rust-lld`.
    Debian(PathBuf),
}

impl Toolchain {
    /// What builds for `target` here; installs what is missing.
    ///
    /// The variable `XTASK_TOOLCHAIN`, as `rustup` or `debian`, chooses instead.
    pub fn find(target: &'static str) -> Result<Self, Failed> {
        let kind = match env::var("XTASK_TOOLCHAIN").as_deref() {
            Ok("rustup") => Kind::Rustup,
            Ok("debian") => debian()?,
            _ if rustup_has(target) => Kind::Rustup,
            _ => debian()?,
        };
        Ok(Toolchain { target, kind })
    }

    /// `cargo` with these words, split at blanks, for the target.
    pub fn cargo(&self, words: &str) -> Task {
        let task = match &self.kind {
            Kind::Rustup => cargo(words),
            Kind::Debian(linker) => debian_program("/usr/bin/cargo")
                .args(words.split(' '))
                .args(["-Zbuild-std=core,alloc"])
                .env("RUSTC_BOOTSTRAP", "1")
                .env("PATH", &debian_path(linker)),
        };
        task.args(["--target", self.target])
    }

    /// Names what decides how many bytes a program takes: the compiler, and whether `core` was
    /// built with the program's own settings.
    pub fn name(&self) -> Result<String, Failed> {
        let (rustc, core) = match self.kind {
            Kind::Rustup => (program("rustc"), "core as shipped"),
            Kind::Debian(_) => (debian_program("/usr/bin/rustc"), "core built"),
        };
        let version = rustc.args(["--version"]).output()?;
        let mut words = version.split(' ').take(2).collect::<Vec<_>>();
        words.push(core);
        Ok(words.join(" "))
    }
}

/// Whether rustup has the target, or could fetch it.
fn rustup_has(target: &str) -> bool {
    let installed = program("rustup")
        .args(["target", "list", "--installed"])
        .output();
    installed.is_ok_and(|list| list.lines().any(|line| line == target))
        || program("timeout")
            .args(["120", "rustup", "target", "add", target])
            .output()
            .is_ok()
}

fn debian() -> Result<Kind, Failed> {
    packages::install_missing(&DEBIAN)?;
    let advice = || Failed::Advice("there is no rust-lld in the toolchain of `rustc`".into());
    let root = program("rustc").args(["--print", "sysroot"]).output()?;
    let version = program("rustc").args(["-vV"]).output()?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or_else(advice)?;
    let folder = PathBuf::from(root.trim())
        .join("lib/rustlib")
        .join(host)
        .join("bin");
    if !folder.join("rust-lld").is_file() {
        return Err(advice());
    }
    Ok(Kind::Debian(folder))
}

/// A program of Debian's, without what rustup's `cargo` has put into our environment.
fn debian_program(path: &str) -> Task {
    ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"]
        .iter()
        .fold(program(path), |task, key| task.env_remove(key))
}

fn debian_path(linker: &std::path::Path) -> String {
    let path = env::var("PATH").unwrap_or_default();
    format!("/usr/bin:{path}:{}", linker.display())
}
