//! The page: one file with everything in it, built into the program.

/// The page, compressed with gzip.
pub static PAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/page.html.gz"));

/// What a browser may run and show of it (Content-Security-Policy): its own scripts and styles, and
/// nothing from anywhere else.
pub static POLICY: &str = include_str!(concat!(env!("OUT_DIR"), "/policy.txt"));
