//! Makes the page that is built into the program: compressed, and with the list of what a browser may
//! run and show of it. And the description of the API, compressed.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::{env, fs};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

const PAGE: &str = "page/index.html";
const OPENAPI: &str = "openapi.json";
/// The largest page, compressed, in bytes.
const PAGE_MAX: usize = 40 * 1024;

fn main() {
    println!("cargo::rerun-if-changed={PAGE}");
    println!("cargo::rerun-if-changed={OPENAPI}");
    println!("cargo::rerun-if-changed=build.rs");
    let page = fs::read_to_string(PAGE).expect("the page can be read");
    let out = env::var_os("OUT_DIR").expect("cargo says where to write");
    let out = Path::new(&out);

    let small = compressed(page.as_bytes());
    let length = small.len();
    assert!(
        length <= PAGE_MAX,
        "{PAGE} is {length} bytes compressed; allowed: up to {PAGE_MAX}"
    );
    fs::write(out.join("page.html.gz"), small).expect("the page can be written");
    fs::write(out.join("policy.txt"), policy(&page)).expect("its policy can be written");

    let description = fs::read_to_string(OPENAPI).expect("the description can be read");
    // What makes it readable would be stored in each device.
    let lines: String = description.lines().map(str::trim_start).collect();
    fs::write(out.join("openapi.json.gz"), compressed(lines.as_bytes()))
        .expect("the description can be written");
}

fn compressed(page: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(page).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

/// The page's Content-Security-Policy: its own scripts and styles, each known by its hash, and
/// nothing else. So an attribute `style="…"` or `onclick="…"` has no effect.
fn policy(page: &str) -> String {
    let mut policy = String::from("default-src 'none'; connect-src 'self'; img-src 'self' data:");
    for (directive, tag) in [("script-src", "script"), ("style-src", "style")] {
        let _ = write!(policy, "; {directive}");
        let hashes = blocks(page, tag).map(|block| STANDARD.encode(Sha256::digest(block)));
        let mut is_empty = true;
        for hash in hashes {
            let _ = write!(policy, " 'sha256-{hash}'");
            is_empty = false;
        }
        if is_empty {
            policy.push_str(" 'none'");
        }
    }
    policy.push_str("; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
    policy
}

/// What stands between `<tag …>` and `</tag>`, each time.
fn blocks<'a>(page: &'a str, tag: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
    let mut rest = page;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&open)?;
        let (_, after) = after.split_once('>')?;
        let (block, after) = after.split_once(&close)?;
        rest = after;
        Some(block)
    })
}
