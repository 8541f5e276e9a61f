//! Format, lints and documentation, of all workspaces there are.

use crate::command::{Failed, cargo};
use crate::toolchain::Toolchain;
use crate::{bench, virt};

/// The boards' workspaces: each for a target of its own, since its libraries are.
const BOARDS: [&str; 2] = ["boards/virt/Cargo.toml", "boards/esp32c3/Cargo.toml"];
const BENCH: &str = "bench/Cargo.toml";
const FUZZ: &str = "umqtt/fuzz/Cargo.toml";
const DENY: [&str; 3] = ["--", "-D", "warnings"];

/// Fails if anything is not as `cargo fmt`, clippy or rustdoc would have it.
pub fn everything() -> Result<(), Failed> {
    cargo("fmt --all --check").run()?;
    for workspace in BOARDS.into_iter().chain([BENCH, FUZZ]) {
        cargo("fmt --all --check")
            .args(["--manifest-path", workspace])
            .run()?;
    }
    for features in ["--all-features", "--no-default-features"] {
        cargo("clippy --workspace --all-targets")
            .args([features])
            .args(DENY)
            .run()?;
    }
    let toolchain = Toolchain::find(virt::TARGET)?;
    for board in BOARDS {
        toolchain
            .cargo("clippy --release --locked")
            .args(["--manifest-path", board])
            .args(DENY)
            .run()?;
    }
    lint_bench(&toolchain)?;
    cargo("clippy --locked --no-default-features --lib --tests --target-dir target/fuzz")
        .args(["--manifest-path", FUZZ])
        .args(DENY)
        .run()?;
    cargo("doc --workspace --no-deps --all-features --document-private-items")
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()
}

fn lint_bench(toolchain: &Toolchain) -> Result<(), Failed> {
    bench::install()?;
    let there = ["--manifest-path", BENCH, "--target-dir", "target/bench"];
    cargo("clippy --locked --all-targets")
        .args(there)
        .args(DENY)
        .run()?;
    toolchain
        .cargo("clippy --locked --package no-panic --package size --all-features")
        .args(there)
        .args(DENY)
        .run()
}
