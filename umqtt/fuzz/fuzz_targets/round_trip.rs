#![no_main]

use libfuzzer_sys::fuzz_target;
use umqtt_fuzz::round_trip::{Input, run};

fuzz_target!(|input: Input<'_>| run(&input));
