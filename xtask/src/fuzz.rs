//! Fuzzing the client: on any compiler by seeds and their mutations, which is a test; and by libFuzzer,
//! on nightly, for as long as one likes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Failed, Task, cargo, program, root};

const TARGETS: [&str; 4] = ["packets", "round_trip", "session", "snapshot"];
const FOLDER: &str = "umqtt/fuzz";
/// Bytes of the longest seed that is kept.
const LONGEST: usize = 512;

/// The tests: every seed, and mutations of them, on the compiler there is.
pub const SEEDS: &str = "test --manifest-path umqtt/fuzz/Cargo.toml --no-default-features --lib \
                         --locked --target-dir target/fuzz";

/// What to fuzz, and for how long.
#[derive(clap::Args)]
pub struct Options {
    /// One target: packets, round_trip, session or snapshot. All of them without it.
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
    /// Seconds for each target.
    #[arg(long = "for", default_value_t = 60)]
    seconds: u64,
    /// Make what was found the seeds: the fewest inputs that reach all that was reached.
    #[arg(long)]
    write: bool,
}

/// Runs libFuzzer; fails if it finds something. What it found is in `umqtt/fuzz/artifacts`.
pub fn fuzz(options: &Options) -> Result<(), Failed> {
    install()?;
    let all = options.target.is_none();
    for target in TARGETS {
        if all || options.target.as_deref() == Some(target) {
            one(target, options)?;
        }
    }
    Ok(())
}

fn one(target: &str, options: &Options) -> Result<(), Failed> {
    let corpus = root().join(FOLDER).join("corpus").join(target);
    let seeds = root().join(FOLDER).join("seeds").join(target);
    let failed = |error| Failed::Start(format!("unpack {}", seeds.display()), error);
    fs::create_dir_all(&corpus).map_err(failed)?;
    for (number, seed) in unpack(&fs::read(&seeds).map_err(failed)?).enumerate() {
        fs::write(corpus.join(format!("seed-{number}")), seed).map_err(failed)?;
    }
    cargo_fuzz("run", target)
        .args(["--", "-dict=umqtt/fuzz/mqtt.dict", "-max_len=1024"])
        .args([format!("-max_total_time={}", options.seconds)])
        .run()?;
    if options.write {
        cargo_fuzz("cmin", target).run()?;
        fs::write(&seeds, pack(files(&corpus)?)).map_err(failed)?;
    }
    Ok(())
}

/// `cargo fuzz` with nightly, whatever compiler we were started with.
fn cargo_fuzz(what: &str, target: &str) -> Task {
    nightly()
        .args(["cargo", "fuzz", what, "--fuzz-dir", FOLDER])
        .args([target])
}

fn nightly() -> Task {
    [
        "CARGO",
        "RUSTC",
        "RUSTDOC",
        "RUSTUP_TOOLCHAIN",
        "LD_LIBRARY_PATH",
    ]
    .iter()
    .fold(program("rustup"), |task, key| task.env_remove(key))
    .args(["run", "nightly"])
}

/// Installs nightly and cargo-fuzz where they are missing.
fn install() -> Result<(), Failed> {
    if nightly().args(["rustc", "--version"]).output().is_err() {
        program("rustup")
            .args(["toolchain", "install", "--profile", "minimal", "nightly"])
            .run()?;
    }
    if nightly()
        .args(["cargo", "fuzz", "--version"])
        .output()
        .is_err()
    {
        cargo("install --locked cargo-fuzz").run()?;
    }
    Ok(())
}

/// The seeds of a file: each behind its length, in two bytes.
fn unpack(mut file: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = file.split_first_chunk()?;
        let (seed, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        file = rest;
        Some(seed)
    })
}

/// The short ones of them in one file, the shortest first.
fn pack(mut seeds: Vec<Vec<u8>>) -> Vec<u8> {
    seeds.retain(|seed| seed.len() <= LONGEST);
    seeds.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    seeds.dedup();
    seeds
        .iter()
        .flat_map(|seed| [&(seed.len() as u16).to_be_bytes(), &seed[..]].concat())
        .collect()
}

fn files(folder: &Path) -> Result<Vec<Vec<u8>>, Failed> {
    let failed = |error| Failed::Start(format!("read {}", folder.display()), error);
    let entries = fs::read_dir(folder).map_err(failed)?;
    entries
        .map(|entry| -> std::io::Result<PathBuf> { Ok(entry?.path()) })
        .map(|path| fs::read(path?))
        .collect::<Result<_, _>>()
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_the_shortest_first_and_once() {
        let seeds = [&b"ab"[..], b"", b"c", b"ab", &[7; LONGEST + 1]];
        let file = pack(seeds.map(<[u8]>::to_vec).to_vec());
        assert!(unpack(&file).eq([&b""[..], b"c", b"ab"]));
    }

    #[test]
    fn the_seeds_of_every_target_are_packed_right() {
        for target in TARGETS {
            let file = fs::read(root().join(FOLDER).join("seeds").join(target)).unwrap();
            let seeds: Vec<Vec<u8>> = unpack(&file).map(<[u8]>::to_vec).collect();
            assert!(seeds.len() > 100, "{target}");
            assert_eq!(pack(seeds), file, "{target}");
        }
    }
}
