//! `cargo xtask brokers`.

use std::process::ExitCode;

fn main() -> ExitCode {
    umqtt_brokers::run(std::env::args().skip(1))
}
