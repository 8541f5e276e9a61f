//! The works of the benchmark on rust-mqtt, over a transport with buffers.

use harness::{Buffered, COMMANDS, Job, PAYLOAD, TOPIC, Work, block_on};
use rust_mqtt::Bytes;
use rust_mqtt::buffer::AllocBuffer;
use rust_mqtt::client::Client;
use rust_mqtt::client::event::Event;
use rust_mqtt::client::options::{
    ConnectOptions, PublicationOptions, SubscriptionOptions, TopicReference,
};
use rust_mqtt::types::{MqttString, TopicFilter, TopicName};

type Bench<'c> = Client<'c, 'c, Buffered, AllocBuffer, 1, 1, 16, 1, 0, 0, 0>;

fn main() {
    block_on(run(Job::from_arguments()));
}

async fn run(job: Job) {
    let mut memory = AllocBuffer;
    let mut client = Bench::new(&mut memory);
    let socket = Buffered::connect(job.port).expect("the responder listens");
    client
        .connect(
            socket,
            &ConnectOptions::new().clean_start(),
            MqttString::try_from("bench").ok(),
        )
        .await
        .expect("CONNACK");
    if job.work.receives() {
        let filter = TopicFilter::new(MqttString::try_from(COMMANDS).expect("short"));
        client
            .subscribe(filter.expect("valid"), &SubscriptionOptions::new())
            .await
            .expect("sent");
    }
    let topic = TopicName::new(MqttString::try_from(TOPIC).expect("short")).expect("valid");
    let message = PublicationOptions::new(TopicReference::Name(topic));
    match job.work {
        // It sends each message by itself.
        Work::PublishQos0 | Work::BatchQos0 => {
            for _ in 0..job.count {
                publish(&mut client, &message).await;
            }
        }
        Work::PublishQos1(_) | Work::BatchQos1 => {
            let message = message.at_least_once();
            let window = job.work.window();
            let (mut sent, mut done) = (0, 0);
            while done < job.count {
                while sent < job.count && sent - done < window {
                    publish(&mut client, &message).await;
                    sent += 1;
                }
                if let Event::PublishAcknowledged(_) = client.poll().await.expect("PUBACK") {
                    done += 1;
                }
            }
        }
        Work::ReceiveQos0 => {
            for _ in 0..job.count {
                receive(&mut client).await;
            }
        }
        Work::Reply => {
            for _ in 0..job.count {
                receive(&mut client).await;
                publish(&mut client, &message).await;
            }
        }
    }
}

async fn publish(client: &mut Bench<'_>, message: &PublicationOptions<'_>) {
    let sent = client.publish(message, Bytes::from(&PAYLOAD[..])).await;
    sent.expect("sent");
}

async fn receive(client: &mut Bench<'_>) {
    while !matches!(client.poll().await.expect("a packet"), Event::Publish(_)) {}
}
