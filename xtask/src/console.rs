//! The console as other people's programs see it: a real device, here and in QEMU, MicroPython's WebREPL client, and
//! Schemathesis with the API's description.

use std::path::Path;

use crate::command::{Failed, cargo, program, root};
use crate::packages::{from_pypi, path_text};
use crate::virt;

/// Where the programs of others are, below the root of the repository.
const ENVIRONMENT: &str = "target/console-clients";
/// MicroPython's `webrepl_cli.py`, as something that can be called.
const WEBREPL: &str = "webrepl==0.2.0";
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// Where the checks are.
const CHECKS: &str = "console/tests/clients";
/// The device.
pub const MONSTER: &str = "target/debug/monster";
/// What starts the board.
const XTASK: &str = "target/debug/xtask";

/// Runs them; each fails by itself if something is not as it is to be.
pub fn console() -> Result<(), Failed> {
    let environment = root().join(ENVIRONMENT);
    from_pypi(WEBREPL, "webreplcmd", &environment)?;
    let schemathesis = from_pypi(SCHEMATHESIS, "schemathesis", &environment)?;
    cargo("build --quiet --package monster-desk --package xtask").run()?;
    virt::build()?;
    let checks = root().join(CHECKS);
    let [monster, xtask] = [MONSTER, XTASK].map(|program| root().join(program));
    let with = [monster.as_path(), &xtask];
    check(&environment, &checks.join("webrepl_check.py"), &with)?;
    let with = [monster.as_path(), &schemathesis];
    check(&environment, &checks.join("openapi_check.py"), &with)
}

fn check(environment: &Path, check: &Path, with: &[&Path]) -> Result<(), Failed> {
    // Half an answer would be waited for: nothing here takes minutes.
    program("timeout")
        .args(["180", path_text(&environment.join("bin/python"))?])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args([check])
        .args(with)
        .run()
}
