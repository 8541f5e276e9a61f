//! That a program written for the client as it was still compiles: `cargo-semver-checks` compares what is public
//! with the release before, whose sources are in the repository: there may be no history here to take them from, and
//! no registry has them yet.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::command::{Failed, Task, cargo, program, root};

/// The client's sources as they were: a `.tar.gz` with one folder.
const BASELINE: &str = "umqtt/baseline.tar.gz";
/// What of the package says what is public.
const PARTS: [&str; 4] = ["Cargo.toml", "README.md", "docs", "src"];
/// Where they are unpacked.
const FOLDER: &str = "target/semver";
/// Other versions find other things.
const VERSION: &str = "0.51.0";
/// What is public depends on these.
const FEATURES: [&[&str]; 3] = [
    &["--all-features"],
    &["--only-explicit-features", "--features", "v3"],
    &["--only-explicit-features", "--features", "v5"],
];

/// Fails if something that was public is gone, or means something else, while the version says that nothing broke.
/// With `write_it`, what is public now is what is compared with from now on.
pub fn semver(write_it: bool) -> Result<(), Failed> {
    if write_it {
        return write();
    }
    install()?;
    let before = unpack()?;
    for features in FEATURES {
        check(&before, features)?;
    }
    finds_what_is_gone(&before)?;
    println!("What was public of umqtt still is, or its version says that it is not.");
    Ok(())
}

fn install() -> Result<(), Failed> {
    let version = cargo("semver-checks --version").command().output();
    let expected = format!("cargo-semver-checks {VERSION}");
    if version.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).trim() == expected) {
        return Ok(());
    }
    // Its crate alone takes minutes.
    cargo("install --quiet --locked --force cargo-semver-checks --version")
        .args([VERSION])
        .run()
}

fn check(before: &Before, features: &[&str]) -> Result<(), Failed> {
    let task = before.compare().args(features);
    let output = task.command().output();
    let output = output.map_err(|error| Failed::Start("cargo semver-checks".into(), error))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Failed::Advice(format!(
            "{}{}\nWhat is gone is to be put back; or the version says so (the minor one in umqtt/Cargo.toml, while the \
             major one is 0), and a line in CHANGELOG.md.",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        ))),
    }
}

/// A check that finds nothing proves nothing: with one function more before, that function is missing now.
fn finds_what_is_gone(before: &Before) -> Result<(), Failed> {
    before.append("src/lib.rs", "\npub fn function_that_was_here() {}\n")?;
    let task = before.compare().args(["--all-features"]);
    let output = task.args(["--release-type", "minor"]).command().output();
    let output = output.map_err(|error| Failed::Start("cargo semver-checks".into(), error))?;
    let said = String::from_utf8_lossy(&output.stdout);
    match !output.status.success() && said.contains("umqtt::function_that_was_here") {
        true => Ok(()),
        false => Err(Failed::Advice(format!(
            "cargo semver-checks does not find a function that is gone:\n{said}{}",
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}

/// The folder of the client as it was.
struct Before(PathBuf);

impl Before {
    fn compare(&self) -> Task {
        cargo("semver-checks --package umqtt --color never --baseline-root").args([&self.0])
    }

    fn append(&self, file: &str, text: &str) -> Result<(), Failed> {
        let path = self.0.join(file);
        let opened = fs::OpenOptions::new().append(true).open(&path);
        opened
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| Failed::Start(format!("write {}", path.display()), error))
    }
}

fn unpack() -> Result<Before, Failed> {
    let folder = empty_folder("before")?;
    program("tar")
        .args(["--extract", "--gzip", "--file", BASELINE, "--directory"])
        .args([&folder])
        .output()?;
    let failed = |error| Failed::Start(format!("read {}", folder.display()), error);
    let mut entries = fs::read_dir(&folder).map_err(failed)?;
    let Some(entry) = entries.next() else {
        return Err(Failed::Advice(format!("{BASELINE} is empty")));
    };
    let before = Before(entry.map_err(failed)?.path());
    // It lies within our workspace, and is none of it.
    before.append("Cargo.toml", "\n[workspace]\n")?;
    Ok(before)
}

fn write() -> Result<(), Failed> {
    let package = empty_folder("package")?;
    cargo("package --quiet --package umqtt --no-verify --locked --allow-dirty --target-dir")
        .args([&package])
        .output()?;
    let version = cargo("pkgid --package umqtt").output()?;
    let version = version.trim().rsplit(['#', '@']).next().unwrap_or_default();
    let name = format!("umqtt-{version}");
    let archive = package.join("package").join(format!("{name}.crate"));
    program("tar")
        .args(["--extract", "--gzip", "--directory"])
        .args([&*package, "--file".as_ref(), &archive])
        .output()?;
    // The same sources make the same file.
    program("tar")
        .args(["--create", "--sort=name", "--mtime=@0", "--owner=0"])
        .args(["--group=0", "--numeric-owner", "--use-compress-program"])
        .args(["gzip --best --no-name", "--file"])
        .args([root().join(BASELINE)])
        .args(["--directory".as_ref(), &*package])
        .args(PARTS.map(|part| format!("{name}/{part}")))
        .output()?;
    println!("From now on, what is public of umqtt {version} as it is now has to stay.");
    Ok(())
}

fn empty_folder(name: &str) -> Result<PathBuf, Failed> {
    let folder = root().join(FOLDER).join(name);
    let _ = fs::remove_dir_all(&folder);
    match fs::create_dir_all(&folder) {
        Ok(()) => Ok(folder),
        Err(error) => Err(Failed::Start(format!("make {}", folder.display()), error)),
    }
}
