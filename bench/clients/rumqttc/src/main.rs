//! The works of the benchmark on rumqttc: its asynchronous client on tokio, on one thread.

use std::error::Error;

use harness::{COMMANDS, Job, PAYLOAD, TOPIC, Work};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Outgoing, Packet, QoS};

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(run(Job::from_arguments()))
}

async fn run(job: Job) -> Result<(), Box<dyn Error>> {
    let options = MqttOptions::new("bench", "127.0.0.1", job.port);
    let (client, mut events) = AsyncClient::new(options, 16);
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
                wait(&mut events, |event| {
                    matches!(event, Event::Incoming(Packet::PubAck(_)))
                })
                .await?;
                done += 1;
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

fn is_sent(event: &Event) -> bool {
    matches!(event, Event::Outgoing(Outgoing::Publish(_)))
}

fn is_message(event: &Event) -> bool {
    matches!(event, Event::Incoming(Packet::Publish(_)))
}
