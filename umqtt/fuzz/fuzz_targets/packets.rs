#![no_main]

use libfuzzer_sys::fuzz_target;
use umqtt_fuzz::packets::{Input, run};

fuzz_target!(|input: Input| run(&input));
