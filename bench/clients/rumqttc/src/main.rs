//! The works of the benchmark on rumqttc: its asynchronous client on tokio, on one thread.

use std::error::Error;

use harness::{BATCH, COMMANDS, Job, PAYLOAD, TOPIC, Work};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet, QoS};

/// Messages of QoS 0 that are handed over together: as many as fit into the buffers of others.
const TOGETHER: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run(Job::from_arguments()))
}

async fn run(job: Job) -> Result<(), Box<dyn Error>> {
    let options = MqttOptions::new("bench", "127.0.0.1", job.port);
    let together = match job.work {
        Work::BatchQos0 => TOGETHER,
        _ => BATCH,
    };
    let (client, mut events) = AsyncClient::new(options, together);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    wait(&mut events, |event| {
        matches!(event, Event::Incoming(Packet::ConnAck(_)))
    })
    .await?;
    if job.work.receives() {
        client.subscribe(COMMANDS, QoS::AtMostOnce).await?;
    }
    match job.work {
        Work::PublishQos0 => {
            for _ in 0..job.count {
                client
                    .publish(TOPIC, QoS::AtMostOnce, false, PAYLOAD)
                    .await?;
                wait(&mut events, is_sent).await?;
            }
        }
        Work::PublishQos1(window) => {
            let (mut sent, mut done) = (0, 0);
            while done < job.count {
                while sent < job.count && sent - done < window {
                    client
                        .publish(TOPIC, QoS::AtLeastOnce, false, PAYLOAD)
                        .await?;
                    sent += 1;
                }
                wait(&mut events, is_acknowledged).await?;
                done += 1;
            }
        }
        Work::BatchQos0 => {
            let mut left = job.count;
            while left > 0 {
                // As many as its channel takes.
                let mut queued = 0;
                while queued < left
                    && client
                        .try_publish(TOPIC, QoS::AtMostOnce, false, PAYLOAD)
                        .is_ok()
                {
                    queued += 1;
                }
                for _ in 0..queued {
                    wait(&mut events, is_sent).await?;
                }
                left -= queued;
            }
        }
        Work::BatchQos1 => {
            let mut left = job.count;
            while left > 0 {
                let now = left.min(BATCH);
                for _ in 0..now {
                    client
                        .publish(TOPIC, QoS::AtLeastOnce, false, PAYLOAD)
                        .await?;
                }
                for _ in 0..now {
                    wait(&mut events, is_acknowledged).await?;
                }
                left -= now;
            }
        }
        Work::ReceiveQos0 => {
            for _ in 0..job.count {
                wait(&mut events, is_message).await?;
            }
        }
        Work::Reply => {
            for _ in 0..job.count {
                wait(&mut events, is_message).await?;
                client
                    .publish(TOPIC, QoS::AtMostOnce, false, PAYLOAD)
                    .await?;
                wait(&mut events, is_sent).await?;
            }
        }
    }
    Ok(())
}

async fn wait(
    events: &mut EventLoop,
    is_it: impl Fn(&Event) -> bool,
) -> Result<(), Box<dyn Error>> {
    while !is_it(&events.poll().await?) {}
    Ok(())
}

fn is_acknowledged(event: &Event) -> bool {
    matches!(event, Event::Incoming(Packet::PubAck(_)))
}

fn is_sent(event: &Event) -> bool {
    matches!(event, Event::Outgoing(Outgoing::Publish(_)))
}

fn is_message(event: &Event) -> bool {
    matches!(event, Event::Incoming(Packet::Publish(_)))
}
