//! That the client can be published, and what a stranger then gets: a package without warnings that
//! holds what belongs into it, and builds with the oldest compiler it names.

use crate::command::{Failed, Task, cargo};
use crate::oldest;

/// What belongs into the package: folders, and files.
const CONTENT: [&str; 11] = [
    "src/",
    "docs/",
    "examples/",
    "tests/",
    "README.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "Cargo.toml",
    "Cargo.toml.orig",
    "Cargo.lock",
    ".cargo_vcs_info.json",
];
/// What must be in it, for its licence's sake.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Fails if the package could not be published as it is, or not be built by the oldest compiler it names.
pub fn published() -> Result<(), Failed> {
    content()?;
    dry_run()?;
    println!("umqtt can be published.");
    oldest::oldest()
}

fn content() -> Result<(), Failed> {
    let list = cargo("package --package umqtt --list --locked --allow-dirty").output()?;
    let mut faults: Vec<String> = list
        .lines()
        .filter(|file| !belongs(file))
        .map(|file| format!("{file} does not belong into the package of umqtt"))
        .collect();
    for licence in LICENCES {
        if !list.lines().any(|file| file == licence) {
            faults.push(format!("the package of umqtt lacks {licence}"));
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Failed::Advice(faults.join("\n"))),
    }
}

fn belongs(file: &str) -> bool {
    CONTENT.iter().any(|&item| match item.ends_with('/') {
        true => file.starts_with(item),
        false => file == item,
    })
}

fn dry_run() -> Result<(), Failed> {
    // What is not committed yet is of no matter here, and nothing is published.
    let said = said_by(cargo(
        "publish --package umqtt --dry-run --locked --allow-dirty",
    ))?;
    let warnings: Vec<&str> = warnings(&said).collect();
    match warnings.is_empty() {
        true => Ok(()),
        false => Err(Failed::Advice(format!(
            "`cargo publish --dry-run` of umqtt warns:\n{}",
            warnings.join("\n")
        ))),
    }
}

/// What `cargo` warned of, but for that it did not publish.
fn warnings(said: &str) -> impl Iterator<Item = &str> {
    said.lines()
        .filter(|line| line.starts_with("warning"))
        .filter(|line| !line.ends_with("aborting upload due to dry run"))
}

/// Runs it to its end and returns its messages, which are shown if it fails.
fn said_by(task: Task) -> Result<String, Failed> {
    let mut command = task.command();
    let output = command
        .output()
        .map_err(|error| Failed::Start("cargo".into(), error))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.success() {
        true => Ok(said),
        false => Err(Failed::Advice(said)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_belong_into_the_package_is_found() {
        assert!(belongs("src/session/mod.rs") && belongs("LICENSE-MIT"));
        assert!(!belongs("fuzz/Cargo.toml") && !belongs("notes.md") && !belongs("src2"));
    }

    #[test]
    fn every_warning_counts_but_that_nothing_was_published() {
        let said = "warning: aborting upload due to dry run\n   Packaged\nwarning: no licence\n";
        assert!(warnings(said).eq(["warning: no licence"]));
    }
}
