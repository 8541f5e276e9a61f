//! Tells the linker where the chip has its memory; esp-hal knows.

fn main() {
    println!("cargo:rustc-link-arg=-Tlinkall.x");
}
