//! What time says, as far as a machine that also does other things can tell it: client and server on
//! one processor, all clients in turn, each judged by its best run. Nothing is gated on it.

use super::run::{Run, Times};
use super::{CLIENTS, Client};
use crate::command::Failed;
use crate::record::Record;

/// Rounds in which each client has its turn. What disturbs a run only ever makes it slower; so many
/// short ones find the undisturbed one.
const ROUNDS: usize = 40;

/// Messages of a first, short run, which tells how long the others are to be.
const TRIAL: usize = 2_000;

/// Seconds that a run is to take, and messages that it has at most.
const ENOUGH: f64 = 0.03;
const MOST: f64 = 2e6;

pub const RECORD: &str = "bench/time.csv";
const HEADER: &str = "compiler,work,client,figure,figure";

/// What the client should come to.
const BATCHED: f64 = 1e6;
const OF_RAW: f64 = 0.9;
const OF_ECHO: (f64, f64) = (1.02, 1.1);

/// One client's times.
pub struct Timing {
    client: &'static str,
    /// Messages a second of QoS 0, queued together.
    batched: f64,
    /// Of QoS 1, 16 in flight; and its part of what a raw socket does.
    in_flight: (f64, f64),
    /// Microseconds of a reply, by half and by 99 of 100; as multiples of those of a TCP echo.
    reply: (f64, f64),
}

/// Measures these clients, and the raw socket they are compared with.
pub fn measure(clients: &[&'static Client]) -> Result<Vec<Timing>, Failed> {
    let raw = &CLIENTS[1];
    let mut clients = clients.to_vec();
    if !clients.iter().any(|client| client.name == raw.name) {
        clients.push(raw);
    }
    let batched = best("batch-qos0", 1, &clients)?;
    let in_flight = best("batch-qos1", 16, &clients)?;
    let replies = best("reply", 1, &clients)?;
    let of_raw = |all: &[Times], figure: fn(&Times) -> f64| {
        let raw = clients.iter().position(|client| client.name == raw.name);
        raw.and_then(|raw| all.get(raw)).map_or(f64::NAN, figure)
    };
    let raw_rate = of_raw(&in_flight, |times| times.rate);
    let echo = (
        of_raw(&replies, |times| times.half),
        of_raw(&replies, |times| times.most),
    );
    let rows = clients.iter().enumerate();
    Ok(rows
        .map(|(index, client)| Timing {
            client: client.name,
            batched: batched[index].rate,
            in_flight: (in_flight[index].rate, in_flight[index].rate / raw_rate),
            reply: (replies[index].half / echo.0, replies[index].most / echo.1),
        })
        .collect())
}

/// The best times of each client at this work.
fn best(work: &'static str, window: usize, clients: &[&Client]) -> Result<Vec<Times>, Failed> {
    let run = |client: &Client, count: usize| {
        let run = Run {
            client: client.package,
            work,
            count,
            window: window.min(client.in_flight),
        };
        run.times()
    };
    eprintln!("{work}, on one processor");
    let mut counts = Vec::new();
    for client in clients {
        let enough = run(client, TRIAL)?.rate * ENOUGH;
        counts.push(enough.clamp(TRIAL as f64, MOST) as usize);
    }
    let mut best: Vec<Times> = clients.iter().map(|_| Times::WORST).collect();
    for _ in 0..ROUNDS {
        for (index, client) in clients.iter().enumerate() {
            let times = run(client, counts[index])?;
            let best: &mut Times = &mut best[index];
            best.rate = best.rate.max(times.rate);
            best.half = best.half.min(times.half);
            best.most = best.most.min(times.most);
        }
    }
    Ok(best)
}

/// Prints the table, and how umqtt stands to its targets.
pub fn print(timings: &[Timing]) {
    println!("\nTime, client and server on one processor, the best of {ROUNDS} runs:\n");
    print!("{}", table(timings));
    let Some(ours) = timings.iter().find(|row| row.client == CLIENTS[0].name) else {
        return;
    };
    let verdict = |met: bool| if met { "met" } else { "not met" };
    println!(
        "\nqueued together {:.2} M/s, target {:.0} M/s: {}",
        ours.batched / 1e6,
        BATCHED / 1e6,
        verdict(ours.batched >= BATCHED)
    );
    println!(
        "16 in flight, of a raw socket {:.2}, target {OF_RAW}: {}",
        ours.in_flight.1,
        verdict(ours.in_flight.1 >= OF_RAW)
    );
    println!(
        "reply, of a TCP echo {:.3} and {:.3}, target {} and {}: {}",
        ours.reply.0,
        ours.reply.1,
        OF_ECHO.0,
        OF_ECHO.1,
        verdict(ours.reply.0 <= OF_ECHO.0 && ours.reply.1 <= OF_ECHO.1)
    );
}

fn table(timings: &[Timing]) -> String {
    let mut text = String::from(
        "| | QoS 0, queued together | QoS 1, 16 in flight | of a raw socket | reply, of a TCP echo: \
         median | 99 % |\n|---|--:|--:|--:|--:|--:|\n",
    );
    for row in timings {
        let name = super::emphasized(row.client);
        text.push_str(&format!(
            "| {name} | {:.2} M/s | {:.2} M/s | {:.2} | {:.2} | {:.2} |\n",
            row.batched / 1e6,
            row.in_flight.0 / 1e6,
            row.in_flight.1,
            row.reply.0,
            row.reply.1
        ));
    }
    text
}

/// Writes the times down.
pub fn record(timings: &[Timing], compiler: &str) -> Result<(), Failed> {
    let mut record = Record::read(RECORD);
    for row in timings {
        let key = |work: &str| format!("{compiler},{work},{}", row.client);
        let thousandths = |figure: f64| (figure * 1_000.0).round() / 1_000.0;
        record.note(&key("batch-qos0"), [row.batched.round(), 0.0]);
        let (rate, of_raw) = row.in_flight;
        record.note(&key("batch-qos1"), [rate.round(), thousandths(of_raw)]);
        let (half, most) = row.reply;
        record.note(&key("reply"), [thousandths(half), thousandths(most)]);
    }
    record.write(HEADER)
}

/// The table of what was written down.
pub fn readme(compiler: &str) -> String {
    let record = Record::read(RECORD);
    let rows = CLIENTS.iter().filter_map(|client| {
        let find = |work: &str| record.find(&format!("{compiler},{work},{}", client.name));
        let [batched, _] = find("batch-qos0")?;
        let [rate, of_raw] = find("batch-qos1")?;
        let [half, most] = find("reply")?;
        Some(Timing {
            client: client.name,
            batched,
            in_flight: (rate, of_raw),
            reply: (half, most),
        })
    });
    table(&rows.collect::<Vec<_>>())
}
