//! The desk board (skeleton).
fn main() {}
