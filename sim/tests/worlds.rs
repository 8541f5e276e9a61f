//! Worlds, whole ones. `cargo xtask sim` runs more of them, and faster.

use monster_sim::{BYTES_PER_DEVICE, Config, Summary, run};

fn world(seed: u64, hours: u64, devices: u32) -> Summary {
    run(Config {
        seed,
        hours,
        devices,
    })
}

#[test]
fn the_same_seed_gives_the_same_run_bit_for_bit_and_another_one_another() {
    for seed in [3, 14] {
        let once = world(seed, 4, 3);
        assert_eq!(once, world(seed, 4, 3));
        assert_ne!(once.hash, world(seed + 1, 4, 3).hash);
    }
}

#[test]
fn in_many_worlds_where_everything_goes_wrong_all_is_as_it_must_be() {
    let total = (1..=100)
        .map(|seed| world(seed, 5, 1))
        .fold(Summary::default(), Summary::and);
    println!("{total}");
    // That nothing was wrong says something only if much happened.
    assert_eq!(total.device_hours, 500);
    assert!(total.connects > 1_000);
    assert!(total.power_cuts > 200);
    assert!(total.executed > 2_000);
    assert!(total.sessions > 10);
    assert!(total.repeated > 500);
    assert!(total.looks > 500);
}

#[test]
fn a_device_with_its_buffers_takes_at_most_8_kib() {
    println!("{BYTES_PER_DEVICE} bytes");
    const { assert!(BYTES_PER_DEVICE <= 8 * 1024) };
}

#[test]
fn in_a_world_of_many_devices_each_is_as_it_must_be() {
    let total = world(7, 1, 100);
    assert_eq!(total.device_hours, 100);
    assert!(total.boots > 100);
}
