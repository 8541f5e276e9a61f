//! The quick starts of the documentation, run as they are written.
//!
//! Each page is followed as a person would: a file that it shows is written, a block of `sh` is typed into a terminal of
//! its own, and what the page says will be seen must be seen in one of the terminals. It happens in a network of its own,
//! so that ports are those of the page; a block marked `no-run` is for a person alone.

pub mod page;
mod terminals;

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Failed, cargo, program, root};
use crate::packages;
use page::Step;
use terminals::Terminals;

/// Where the pages are, and where they are run. Those in Chinese [show the same](crate::docs).
const PAGES: &str = "docs/quick-starts";
const FOLDER: &str = "target/quick-starts";
/// Programs of the pages, and Debian's packages that have them.
const PROGRAMS: [(&str, &str); 8] = [
    ("mosquitto", "mosquitto"),
    ("mosquitto_pub", "mosquitto-clients"),
    ("npm", "npm"),
    ("curl", "curl"),
    ("ip", "iproute2"),
    ("prometheus", "prometheus"),
    ("prometheus-mqtt-exporter", "prometheus-mqtt-exporter"),
    ("influxd", "influxdb"),
];
/// The last that runs on the Node.js of Debian 12; and by what it writes to InfluxDB.
const NODE_RED: [&str; 2] = ["node-red@4", "node-red-contrib-influxdb@0.7"];

/// Runs the pages with these names, or all; returns how many were.
pub fn quick_starts(names: &[String]) -> Result<u64, Failed> {
    packages::install_missing(&PROGRAMS)?;
    let folder = root().join(FOLDER);
    let node_red = folder.join("node-red");
    let parts = [
        "node_modules/.bin/node-red",
        "node_modules/node-red-contrib-influxdb/package.json",
    ];
    if !parts.iter().all(|part| node_red.join(part).is_file()) {
        program("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund"])
            .args([Path::new("--prefix"), &node_red])
            .args(NODE_RED)
            .run()?;
    }
    cargo("build --package monster-desk --package xtask").run()?;
    let mut passed = 0;
    for path in pages(&root().join(PAGES))? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if !names.is_empty() && !names.iter().any(|it| **it == *name) {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(|error| wrong(&path, error))?;
        if !page::steps(&text)
            .iter()
            .any(|it| matches!(it, Step::Type { .. }))
        {
            // Its settings are for a test of their own.
            continue;
        }
        let this = root().join("target/debug/xtask");
        let inside = ["--net", "--pid", "--mount-proc", "--fork", "--kill-child"];
        packages::as_root("unshare")
            .args(inside)
            .args([packages::path_text(&this)?, "quick-starts", "--inside"])
            .args([&*name])
            .run()?;
        passed += 1;
    }
    match passed {
        0 => Err(Failed::Advice(format!("there is no such page in {PAGES}"))),
        passed => Ok(passed),
    }
}

/// Follows one page, in the network that this process has for itself.
pub fn inside(name: &str) -> Result<(), Failed> {
    program("ip").args(["link", "set", "lo", "up"]).output()?;
    let path = root().join(PAGES).join(format!("{name}.md"));
    let text = fs::read_to_string(&path).map_err(|error| wrong(&path, error))?;
    let folder = root().join(FOLDER).join("pages").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| wrong(&folder, error))?;
    let programs = [
        "target/debug",
        "target/quick-starts/node-red/node_modules/.bin",
    ];
    let mut terminals = Terminals::new(&folder, &programs.map(|path| root().join(path)));
    for step in page::steps(&text) {
        match step {
            Step::File { name, content } => {
                let path = folder.join(name);
                fs::write(&path, content).map_err(|error| wrong(&path, error))?;
            }
            Step::Type { commands, seen } => terminals.play(commands, &seen)?,
        }
    }
    println!("{name}: as written");
    Ok(())
}

fn pages(folder: &Path) -> Result<Vec<PathBuf>, Failed> {
    let list = fs::read_dir(folder).map_err(|error| wrong(folder, error))?;
    let mut pages: Vec<PathBuf> = list
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .filter(|path| path.file_stem().is_some_and(|it| it != "README"))
        .collect();
    pages.sort();
    Ok(pages)
}

fn wrong(path: &Path, error: impl std::fmt::Display) -> Failed {
    Failed::Advice(format!("{}: {error}", path.display()))
}
