//! The board's memory map, for the linker.

use std::env;
use std::path::Path;

fn main() {
    let target = env::var("TARGET").unwrap_or_default();
    let map = if target.starts_with("thumbv7m") {
        "mps2.x"
    } else {
        "virt.x"
    };
    let folder = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let map = Path::new(&folder).join("src/board").join(map);
    println!("cargo::rerun-if-changed={}", map.display());
    println!("cargo::rustc-link-arg-bins=-T{}", map.display());
}
