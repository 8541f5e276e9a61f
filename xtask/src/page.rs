//! The console's page in a headless browser.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::{Failed, Task, cargo, program, root};
use crate::console::MONSTER;
use crate::packages::{self, path_text};
use crate::virt;

/// Where the page's tests are.
const TESTS: &str = "console/page/tests";

/// What is gone through there.
const WALKS: [&str; 3] = ["device.test.mjs", "walk.test.mjs", "trouble.test.mjs"];
/// What a phone's browser does on an access point.
const PORTAL: &str = "portal.mjs";
/// The browser, what drives it, and Debian's packages that have them.
const PROGRAMS: [(&str, &str); 3] = [("chromium", "chromium"), ("node", "nodejs"), ("npm", "npm")];
/// Without it a machine may have no sign of Chinese, and the pictures would show boxes.
const FONT: (&str, &str) = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "fonts-noto-cjk",
);

/// What the page is looked at with.
#[derive(Default, Args)]
pub struct Options {
    /// Take the pictures of the documentation instead.
    #[arg(long)]
    pictures: bool,
    /// Go through the page of this device instead, as http://192.168.1.23: what is changed is not
    /// saved. Its password is in the environment, as PASSWORD.
    #[arg(long, value_name = "URL", conflicts_with = "pictures")]
    device: Option<String>,
    /// Each look on each device: twice as many.
    #[arg(long, conflicts_with_all = ["pictures", "device"])]
    every_look: bool,
}

/// Does what was asked for; returns how many tests passed.
pub fn page(options: &Options) -> Result<u64, Failed> {
    let tests = install()?;
    if options.pictures {
        return pictures(&tests).map(|()| 0);
    }
    let mut node = program("node").args(["--test", "--test-reporter=spec"]);
    if let Some(device) = &options.device {
        return passed(node.env("DEVICE", device).args([tests.join(WALKS[0])]));
    }
    if options.every_look {
        node = node.env("EVERY_LOOK", "1");
    }
    cargo("build --quiet --package monster-desk --package xtask").run()?;
    virt::build()?;
    // They mostly wait, so there may be as many as there are.
    passed(
        node.args([format!("--test-concurrency={}", WALKS.len())])
            .env("MONSTER", path_text(&root().join(MONSTER))?)
            .args(WALKS.map(|walk| tests.join(walk))),
    )
}

/// Runs node's tests, and returns how many passed.
fn passed(node: Task) -> Result<u64, Failed> {
    let mut passed = 0;
    node.each_line(|line| {
        let count = line.strip_prefix("ℹ pass ").and_then(|n| n.parse().ok());
        passed += count.unwrap_or(0);
    })?;
    Ok(passed)
}

fn pictures(tests: &Path) -> Result<(), Failed> {
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
