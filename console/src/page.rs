//! The page: one file with everything in it, built into the program. And the description of the API
//! behind it.

/// The page, compressed with gzip.
pub static PAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/page.html.gz"));

/// What a browser may run and show of it (Content-Security-Policy): its own scripts and styles, and
/// nothing from anywhere else.
pub static POLICY: &str = include_str!(concat!(env!("OUT_DIR"), "/policy.txt"));

/// What can be asked over HTTP, in OpenAPI 3.1: compressed with gzip.
pub static OPENAPI: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz"));
