//! That the client builds with the oldest compiler it promises, by that compiler itself.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Failed, Task, program, root};
use crate::packages;

const MANIFEST: &str = "umqtt/Cargo.toml";
const README: &str = "umqtt/README.md";
/// Where a compiler of Debian's is kept.
const FOLDER: &str = "target/oldest-compiler";
/// The features a program may choose.
const FEATURES: [&str; 5] = ["v3", "v5", "v3,v5", "v3,v5,stream", "v3,v5,stream,std"];

/// Builds the client with the `rust-version` of its manifest, alone with each choice of features; and
/// fails if its README promises another.
pub fn oldest() -> Result<(), Failed> {
    let version = promised(&read(MANIFEST)?, &read(README)?).map_err(Failed::Advice)?;
    let compiler = Compiler::find(&version)?;
    for features in FEATURES {
        compiler
            .cargo()
            .args(["check", "--quiet", "--locked", "--package", "umqtt"])
            .args(["--no-default-features", "--features", features])
            .args(["--target-dir", "target/oldest"])
            .output()?;
    }
    println!("umqtt builds with Rust {version}.");
    Ok(())
}

/// The oldest compiler by the manifest, if the README says the same.
fn promised(manifest: &str, readme: &str) -> Result<String, String> {
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .ok_or_else(|| format!("{MANIFEST} names no rust-version"))?;
    let version = version.trim().trim_matches('"');
    match readme.contains(&format!("Rust {version} or newer")) {
        true => Ok(version.to_owned()),
        false => Err(format!(
            "{README} does not say `Rust {version} or newer`, as {MANIFEST} does"
        )),
    }
}

fn read(path: &str) -> Result<String, Failed> {
    fs::read_to_string(root().join(path))
        .map_err(|error| Failed::Start(format!("read {path}"), error))
}

/// A compiler of this version, with the cargo that came with it.
enum Compiler {
    /// One that rustup has.
    Rustup(String),
    /// Debian's, which is not installed: below this folder.
    Debian(PathBuf),
}

impl Compiler {
    /// Takes what is there. Otherwise gets it from Debian, whose release 12 has it beside newer ones; or else by
    /// rustup.
    fn find(version: &str) -> Result<Self, Failed> {
        let by_rustup = Compiler::Rustup(format!("{version}.0"));
        let debian = Compiler::Debian(root().join(FOLDER).join(version));
        if by_rustup.is(version) {
            return Ok(by_rustup);
        }
        if !debian.is(version) && debian.unpack(version).is_err() {
            program("rustup")
                .args(["toolchain", "install", "--profile", "minimal"])
                .args([format!("{version}.0")])
                .output()?;
            return Ok(by_rustup);
        }
        Ok(debian)
    }

    fn is(&self, version: &str) -> bool {
        let expected = |name| format!("{name} {version}.");
        ["rustc", "cargo"].iter().all(|name| {
            let said = self.program(name).args(["--version"]).command().output();
            said.is_ok_and(|said| said.stdout.starts_with(expected(name).as_bytes()))
        })
    }

    fn cargo(&self) -> Task {
        let task = self.program("cargo");
        match self {
            Compiler::Rustup(_) => task,
            Compiler::Debian(folder) => task.env("RUSTC", &text(&folder.join("usr/bin/rustc"))),
        }
    }

    /// One of its programs, whatever compiler we were started with.
    fn program(&self, name: &str) -> Task {
        let task = match self {
            Compiler::Rustup(toolchain) => program("rustup").args(["run", toolchain, name]),
            Compiler::Debian(folder) => {
                let library = |path: &str| text(&folder.join(path).join("x86_64-linux-gnu"));
                program(&text(&folder.join("usr/bin").join(name))).env(
                    "LD_LIBRARY_PATH",
                    &[library("usr/lib"), library("lib")].join(":"),
                )
            }
        };
        let ours = ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"];
        ours.iter().fold(task, |task, key| task.env_remove(key))
    }

    /// Gets Debian's packages of it, and of the libraries it was linked with, and unpacks them.
    fn unpack(&self, version: &str) -> Result<(), Failed> {
        let Compiler::Debian(folder) = self else {
            return Ok(());
        };
        eprintln!("getting Rust {version} from Debian");
        let archives = folder.join("archives");
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(&archives)
            .map_err(|error| Failed::Start(format!("make {}", archives.display()), error))?;
        packages::update()?;
        let ours = ["rustc-web", "cargo-web", "libstd-rust-web-dev"];
        let more = ["libllvm19", "libz3-4", "libpcre3", "libhttp-parser2.9"];
        let packages = ours
            .map(|name| format!("{name}={version}*"))
            .into_iter()
            .chain([format!("libstd-rust-web-{version}")])
            .chain(more.map(String::from));
        program("apt-get")
            .args(["download", "--quiet"])
            .args(packages)
            .within(&archives)
            .output()?;
        let entries = fs::read_dir(&archives)
            .map_err(|error| Failed::Start(format!("read {}", archives.display()), error))?;
        for archive in entries.flatten() {
            program("dpkg-deb")
                .args([Path::new("--extract"), &archive.path(), folder])
                .output()?;
        }
        let _ = fs::remove_dir_all(&archives);
        match self.is(version) {
            true => Ok(()),
            false => Err(Failed::Advice(format!(
                "Debian's Rust {version} does not run"
            ))),
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_compiler_is_the_manifests_and_the_readme_says_the_same() {
        let manifest = "[package]\nrust-version = \"1.85\"\n";
        assert_eq!(promised(manifest, "Rust 1.85 or newer").unwrap(), "1.85");
        assert!(promised(manifest, "Rust 1.95 or newer").is_err());
        assert!(promised("[package]", "Rust 1.85 or newer").is_err());
    }
}
