extern crate std;

use std::vec::Vec;

use super::*;
use crate::random::Random;
use SensorError::{Checksum, Edge, Jump, Range, Timeout};

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn reading(temperature: i16, humidity: u16) -> Reading {
    Reading {
        temperature,
        humidity,
    }
}

/// What the sensor does on a try.
#[derive(Clone, Copy)]
enum Sensor {
    Says(i16, u16),
    Fails(SensorError),
    /// The board never delivers.
    Hangs,
}
use Sensor::{Fails, Hangs, Says};

/// How long the board takes to deliver, in milliseconds.
const DELIVERY: u64 = 25;

/// A climate in virtual time, with a log of all it does.
struct Bench {
    climate: Climate,
    now: u64,
    delivery: Option<(u64, Sensor)>,
    tries: Vec<u64>,
    reports: Vec<(u64, Outcome)>,
    answers: Vec<(u64, Outcome)>,
}

impl Bench {
    fn new(offsets: Offsets) -> Self {
        Bench {
            climate: Climate::new(Kind::Dht22, offsets, at(0)),
            now: 0,
            delivery: None,
            tries: Vec::new(),
            reports: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// Keeps every deadline up to `end`, with a sensor that depends on the time of the try.
    fn run(&mut self, end: u64, sensor: impl Fn(u64) -> Sensor) {
        loop {
            self.poll(&sensor);
            let deadline = self.climate.deadline().as_millis();
            assert!(deadline > self.now, "something was left undone");
            let delivery = self.delivery.map_or(u64::MAX, |(ms, _)| ms);
            let next = deadline.min(delivery);
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
            if delivery == next {
                match self.delivery.take() {
                    Some((_, Says(temperature, humidity))) => {
                        let sent = reading(temperature, humidity);
                        let pulses = dht::encode(Kind::Dht22, sent);
                        self.climate.handle_pulses(&pulses, at(next));
                    }
                    Some((_, Fails(error))) => {
                        self.climate.handle_reading(Err(error), at(next));
                    }
                    _ => {}
                }
            }
            self.climate.handle_timeout(at(next));
        }
    }

    fn poll(&mut self, sensor: &impl Fn(u64) -> Sensor) {
        if let Some(kind) = self.climate.poll_measure(at(self.now)) {
            assert_eq!(kind, Kind::Dht22);
            self.tries.push(self.now);
            let does = sensor(self.now);
            self.delivery = (!matches!(does, Hangs)).then_some((self.now + DELIVERY, does));
        }
        if let Some(answer) = self.climate.poll_answer() {
            self.answers.push((self.now, answer));
        }
        if let Some(report) = self.climate.poll_report(at(self.now)) {
            self.reports.push((self.now, report));
        }
    }

    fn request(&mut self) {
        self.climate.request(at(self.now));
    }
}

fn bench() -> Bench {
    Bench::new(Offsets::default())
}

#[test]
fn the_sensor_is_asked_a_second_after_boot_and_then_every_5_s() {
    let mut bench = bench();
    bench.run(22_000, |_| Says(234, 560));
    assert_eq!(bench.tries, [1_000, 6_000, 11_000, 16_000, 21_000]);
}

#[test]
fn a_steady_value_is_reported_once_and_then_every_300_s() {
    let mut bench = bench();
    bench.run(700_000, |_| Says(234, 560));
    let value = Ok(reading(234, 560));
    assert_eq!(
        bench.reports,
        [(1_025, value), (301_025, value), (601_025, value)]
    );
}

#[test]
fn a_change_is_reported_when_it_reaches_the_threshold_since_the_last_report() {
    let mut bench = bench();
    // A tenth of a degree every 5 s: creeping must not go unseen.
    bench.run(32_000, |ms| Says(200 + (ms / 5_000) as i16, 560));
    let temperatures: Vec<_> = bench
        .reports
        .iter()
        .map(|(ms, report)| (*ms, report.unwrap().temperature))
        .collect();
    assert_eq!(temperatures, [(1_025, 200), (16_025, 203), (31_025, 206)]);

    let mut bench = self::bench();
    bench.run(20_000, |ms| {
        Says(
            200,
            if ms < 6_000 {
                500
            } else if ms < 11_000 {
                519
            } else {
                480
            },
        )
    });
    let humidities: Vec<_> = bench
        .reports
        .iter()
        .map(|(ms, report)| (*ms, report.unwrap().humidity))
        .collect();
    assert_eq!(humidities, [(1_025, 500), (11_025, 480)]);
}

#[test]
fn a_failed_try_is_repeated_2_s_later_and_nobody_hears_of_it() {
    let mut bench = bench();
    bench.run(12_000, |ms| match ms {
        6_000 => Fails(Checksum),
        8_000 => Hangs,
        _ => Says(234, 560),
    });
    // The next measurement is due 5 s after this one's first try, and 2 s after its last.
    assert_eq!(bench.tries, [1_000, 6_000, 8_000, 10_000, 12_000]);
    assert_eq!(bench.reports, [(1_025, Ok(reading(234, 560)))]);
}

#[test]
fn three_failed_tries_are_a_fault_that_is_reported_once_and_so_is_the_recovery() {
    let mut bench = bench();
    bench.run(40_000, |ms| match ms {
        6_000..12_000 => Fails(Edge),
        12_000..20_000 => Fails(Timeout),
        _ => Says(234, 560),
    });
    let value = Ok(reading(234, 560));
    assert_eq!(
        bench.reports,
        [(1_025, value), (10_025, Err(Edge)), (20_025, value)]
    );
}

#[test]
fn a_lasting_fault_is_repeated_every_300_s_with_its_present_reason() {
    let mut bench = bench();
    bench.run(310_000, |ms| if ms < 100_000 { Fails(Edge) } else { Hangs });
    assert_eq!(bench.reports, [(5_025, Err(Edge)), (305_025, Err(Timeout))]);
    assert_eq!(bench.climate.age(at(310_000)), None);
}

#[test]
fn a_board_that_does_not_deliver_in_500_ms_is_a_timeout_and_what_it_brings_later_is_ignored() {
    let mut climate = Climate::new(Kind::Dht22, Offsets::default(), at(0));
    assert_eq!(climate.poll_measure(at(1_000)), Some(Kind::Dht22));
    assert_eq!(climate.deadline(), at(1_500));
    climate.handle_reading(Ok(reading(234, 560)), at(1_500));
    assert_eq!(climate.outcome(), None);
    assert_eq!(climate.deadline(), at(3_000));

    assert!(climate.poll_measure(at(3_000)).is_some());
    climate.handle_reading(Ok(reading(234, 560)), at(3_499));
    assert_eq!(climate.outcome(), Some(Ok(reading(234, 560))));
    // Nobody asked for this one.
    climate.handle_reading(Ok(reading(555, 555)), at(3_600));
    assert_eq!(climate.outcome(), Some(Ok(reading(234, 560))));
}

#[test]
fn a_freak_value_is_never_believed_even_if_it_comes_again_later() {
    for freak in [Says(285, 560), Says(183, 560), Says(234, 761), Says(234, 0)] {
        let mut bench = bench();
        bench.run(30_000, |ms| match ms {
            6_000 | 11_000 | 21_000 => freak,
            _ => Says(234, 560),
        });
        assert_eq!(
            bench.tries[..7],
            [1_000, 6_000, 8_000, 11_000, 13_000, 16_000, 21_000]
        );
        assert_eq!(bench.reports, [(1_025, Ok(reading(234, 560)))]);
    }
}

#[test]
fn a_real_jump_is_believed_when_a_second_reading_agrees() {
    let mut bench = bench();
    bench.run(12_000, |ms| {
        if ms < 6_000 {
            Says(200, 560)
        } else {
            Says(300 + (ms / 1_000) as i16, 400)
        }
    });
    assert_eq!(
        bench.reports,
        [
            (1_025, Ok(reading(200, 560))),
            (8_025, Ok(reading(308, 400))),
            (11_025, Ok(reading(311, 400)))
        ]
    );
}

#[test]
fn readings_that_jump_about_are_the_fault_jump() {
    let mut bench = bench();
    bench.run(11_000, |ms| match ms {
        6_000 => Says(300, 560),
        8_000 => Says(400, 560),
        10_000 => Says(500, 560),
        _ => Says(200, 560),
    });
    assert_eq!(
        bench.reports,
        [(1_025, Ok(reading(200, 560))), (10_025, Err(Jump))]
    );
}

#[test]
fn a_change_of_just_the_threshold_is_no_jump() {
    let mut bench = bench();
    bench.run(7_000, |ms| {
        if ms < 6_000 {
            Says(200, 500)
        } else {
            Says(250, 700)
        }
    });
    assert_eq!(bench.reports[1], (6_025, Ok(reading(250, 700))));
}

#[test]
fn a_reading_that_the_kernel_decoded_is_checked_for_its_range() {
    let mut bench = bench();
    for _ in 0..3 {
        let start = bench.climate.deadline();
        assert!(bench.climate.poll_measure(start).is_some());
        bench.climate.handle_reading(Ok(reading(200, 1001)), start);
    }
    assert_eq!(bench.climate.outcome(), Some(Err(Range)));
}

#[test]
fn offsets_are_added_and_humidity_stays_a_percentage() {
    for (offsets, corrected) in [
        ((-12, 35), (222, 595)),
        ((0, 900), (234, 1000)),
        ((0, -900), (234, 0)),
        ((i16::MAX, i16::MAX), (i16::MAX, 1000)),
        ((i16::MIN, i16::MIN), (i16::MIN + 234, 0)),
    ] {
        let mut bench = Bench::new(Offsets {
            temperature: offsets.0,
            humidity: offsets.1,
        });
        bench.run(60_000, |_| Says(234, 560));
        assert_eq!(
            bench.reports,
            [(1_025, Ok(reading(corrected.0, corrected.1)))]
        );
    }
}

#[test]
fn a_request_within_2_s_of_the_last_try_is_answered_at_once() {
    for fails in [false, true] {
        let mut bench = bench();
        bench.run(6_900, |_| if fails { Hangs } else { Says(234, 560) });
        let expected = if fails {
            Err(Timeout)
        } else {
            Ok(reading(234, 560))
        };
        bench.request();
        bench.run(6_900, |_| Says(111, 111));
        assert_eq!(bench.answers, [(6_900, expected)]);
    }
}

#[test]
fn a_request_after_that_starts_a_measurement_and_is_answered_by_it() {
    let mut bench = bench();
    bench.run(8_500, |_| Says(234, 560));
    bench.request();
    bench.run(14_000, |_| Says(240, 560));
    assert_eq!(bench.answers, [(8_525, Ok(reading(240, 560)))]);
    // The next one that nobody asks for comes 5 s after it.
    assert_eq!(bench.tries, [1_000, 6_000, 8_500, 13_500]);
}

#[test]
fn requests_during_a_measurement_are_answered_together_by_it() {
    let mut bench = bench();
    bench.run(7_010, |_| Fails(Edge));
    bench.request();
    bench.run(9_010, |_| Fails(Edge));
    bench.request();
    bench.run(20_000, |_| Says(234, 560));
    assert_eq!(
        bench.tries[..6],
        [1_000, 3_000, 5_000, 7_000, 9_000, 11_000]
    );
    assert_eq!(bench.answers, [(11_025, Ok(reading(234, 560)))]);
}

#[test]
fn a_request_during_a_try_is_answered_by_that_try() {
    let mut bench = bench();
    bench.run(6_010, |_| Says(234, 560));
    bench.request();
    bench.run(7_000, |_| Says(111, 560));
    assert_eq!(bench.answers, [(6_025, Ok(reading(234, 560)))]);
    assert_eq!(bench.tries, [1_000, 6_000]);
}

#[test]
fn a_request_right_after_boot_waits_for_the_sensor_to_settle() {
    let mut bench = bench();
    bench.request();
    bench.run(4_000, |_| Says(234, 560));
    assert_eq!(bench.tries, [1_000]);
    assert_eq!(bench.answers, [(1_025, Ok(reading(234, 560)))]);
}

#[test]
fn a_request_to_a_sensor_that_is_gone_is_answered_with_the_fault() {
    let mut bench = bench();
    bench.run(4_000, |_| Says(234, 560));
    bench.request();
    bench.run(20_000, |_| Hangs);
    assert_eq!(bench.answers, [(8_500, Err(Timeout))]);
}

#[test]
fn the_age_of_a_value_is_told_in_whole_seconds() {
    let mut bench = bench();
    assert_eq!(bench.climate.age(at(500)), None);
    bench.run(2_000, |_| Says(234, 560));
    assert_eq!(bench.climate.age(at(2_024)), Some(0));
    assert_eq!(bench.climate.age(at(2_025)), Some(1));
    assert_eq!(bench.climate.age(at(3_601_025)), Some(3_600));
}

#[test]
fn whatever_is_asked_the_sensor_is_never_tried_twice_within_2_s_and_everyone_is_answered() {
    for seed in 0..50 {
        let mut random = Random::new(seed);
        let mut bench = bench();
        for _ in 0..200 {
            let end = bench.now + u64::from(random.up_to(3_000));
            let mood = random.up_to(9);
            bench.run(end, |ms| match mood {
                0 => Hangs,
                1 => Fails(Checksum),
                2 => Says(800 - (ms % 1000) as i16, 1000),
                _ => Says(234, 560),
            });
            bench.request();
        }
        assert!(
            bench
                .tries
                .windows(2)
                .all(|pair| pair[1] - pair[0] >= TRY_INTERVAL_MS)
        );
        let asked = bench.now;
        bench.run(asked + 10_000, |_| Hangs);
        let (answered, _) = bench.answers.last().unwrap();
        // At worst the try that has just started, and two more.
        assert!((asked..=asked + 6_500).contains(answered));
    }
}

#[test]
fn any_order_of_calls_at_any_time_does_not_panic() {
    let mut random = Random::new(13);
    let mut climate = Climate::new(Kind::Dht11, Offsets::default(), at(u64::MAX));
    for _ in 0..100_000 {
        let now = match random.up_to(9) {
            0 => at(0),
            1 => at(u64::MAX),
            _ => at(u64::from(random.up_to(20_000))),
        };
        match random.up_to(6) {
            0 => climate.request(now),
            1 => climate.handle_timeout(now),
            2 => climate.handle_pulses(&[80, 80, 50], now),
            3 => {
                let value = random.next_u32();
                let reading = reading(value as i16, (value >> 16) as u16);
                climate.handle_reading(Ok(reading), now);
            }
            4 => drop(climate.poll_answer()),
            5 => drop(climate.poll_report(now)),
            _ => drop(climate.poll_measure(now)),
        }
        let _ = (climate.deadline(), climate.age(now));
        if random.up_to(99) == 0 {
            climate = Climate::new(Kind::Dht22, Offsets::default(), at(0));
        }
    }
}
