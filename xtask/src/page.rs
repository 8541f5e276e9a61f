//! The console's page in a headless browser.

use std::path::{Path, PathBuf};

use crate::command::{Failed, cargo, program, root};
use crate::console::MONSTER;
use crate::packages::{self, path_text};
use crate::virt;

/// Where the page's tests are.
const TESTS: &str = "console/page/tests";

/// What is gone through there.
const WALKS: [&str; 3] = ["walk.test.mjs", "trouble.test.mjs", "desk.test.mjs"];
/// What a phone's browser does on an access point.
const PORTAL: &str = "portal.mjs";
/// The browser, what drives it, and Debian's packages that have them.
const PROGRAMS: [(&str, &str); 3] = [("chromium", "chromium"), ("node", "nodejs"), ("npm", "npm")];
/// Without it a machine may have no sign of Chinese, and the pictures would show boxes.
const FONT: (&str, &str) = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "fonts-noto-cjk",
);

/// Goes through every control of the page, in every look; returns how many tests passed.
pub fn page() -> Result<u64, Failed> {
    let tests = install()?;
    cargo("build --quiet --package monster-desk").run()?;
    let mut passed = 0;
    program("node")
        .args(["--test", "--test-reporter=spec"])
        .env("MONSTER", path_text(&root().join(MONSTER))?)
        .args(WALKS.map(|walk| tests.join(walk)))
        .each_line(|line| {
            let count = line.strip_prefix("ℹ pass ").and_then(|n| n.parse().ok());
            passed += count.unwrap_or(0);
        })?;
    Ok(passed)
}

/// Takes the pictures of the documentation.
pub fn pictures() -> Result<(), Failed> {
    let tests = install()?;
    program("node").args([tests.join("pictures.mjs")]).run()
}

/// Sets a blank board in QEMU up with a phone's browser, which has joined its access point.
pub fn portal() -> Result<(), Failed> {
    packages::install()?;
    let tests = install()?;
    cargo("build --quiet --package xtask").run()?;
    virt::build()?;
    cargo("run --quiet --package monster-scenarios --bin portal --")
        .args([tests.join(PORTAL)])
        .run()
}

/// Installs a browser and what drives it; returns where the tests are.
pub fn install() -> Result<PathBuf, Failed> {
    packages::install_missing(&PROGRAMS)?;
    if !Path::new(FONT.0).is_file() {
        packages::install_missing(&[FONT])?;
    }
    let tests = root().join(TESTS);
    let npm = ["ci", "--silent", "--no-audit", "--no-fund", "--prefix"];
    program("npm").args(npm).args([&tests]).run()?;
    Ok(tests)
}
