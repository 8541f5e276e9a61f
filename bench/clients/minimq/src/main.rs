//! The works of the benchmark on minimq, over a transport with buffers.
//!
//! minimq has at most eight messages in flight.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::OnceLock;
use std::task::Waker;
use std::time::Instant;

use embassy_time_driver::Driver;
use harness::{BUFFER, Buffered, COMMANDS, Job, PAYLOAD, TOPIC, Work, block_on};
use minimq::{Buffers, ConfigBuilder, Connection, Publication, QoS, Session, TopicFilter};

/// Messages in flight that minimq can hold.
const IN_FLIGHT: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    block_on(run(Job::from_arguments()))
}

async fn run(job: Job) -> Result<(), Box<dyn Error>> {
    let (mut receive, mut send) = ([0; BUFFER], [0; BUFFER]);
    let config = ConfigBuilder::new(Buffers::new(&mut receive, &mut send)).client_id("bench")?;
    let mut session = Session::new(config);
    let mut connection = session.connect(Buffered::connect(job.port)?).await?;
    if job.work.receives() {
        connection
            .subscribe(&[TopicFilter::new(COMMANDS)], &[])
            .await?;
    }
    match job.work {
        // It sends each message by itself.
        Work::PublishQos0 | Work::BatchQos0 => {
            for _ in 0..job.count {
                publish(&mut connection).await?;
            }
        }
        Work::PublishQos1(_) | Work::BatchQos1 => {
            let window = job.work.window().min(IN_FLIGHT);
            let mut pending = VecDeque::with_capacity(window);
            let (mut sent, mut done) = (0, 0);
            while done < job.count {
                while sent < job.count && pending.len() < window {
                    let message = Publication::bytes(TOPIC, &PAYLOAD).qos(QoS::AtLeastOnce);
                    pending.extend(connection.publish(message).await?);
                    sent += 1;
                }
                connection.poll().await?;
                while pending.front().is_some_and(|op| !connection.is_pending(op)) {
                    pending.pop_front();
                    done += 1;
                }
            }
        }
        Work::ReceiveQos0 => {
            for _ in 0..job.count {
                connection.recv().await?;
            }
        }
        Work::Reply => {
            for _ in 0..job.count {
                connection.recv().await?;
                publish(&mut connection).await?;
            }
        }
    }
    Ok(())
}

async fn publish(connection: &mut Connection<'_, '_, Buffered>) -> Result<(), Box<dyn Error>> {
    connection
        .publish(Publication::bytes(TOPIC, &PAYLOAD))
        .await?;
    Ok(())
}

/// The clock minimq reads. Nothing ever waits for it: the transport blocks.
struct Clock(OnceLock<Instant>);

impl Driver for Clock {
    fn now(&self) -> u64 {
        let start = self.0.get_or_init(Instant::now);
        start.elapsed().as_micros() as u64
    }

    fn schedule_wake(&self, _at: u64, _waker: &Waker) {}
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock(OnceLock::new()));
