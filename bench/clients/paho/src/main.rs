//! The works of the benchmark on paho C, through its Rust binding.

use std::collections::VecDeque;
use std::error::Error;

use harness::{COMMANDS, Job, PAYLOAD, TOPIC, Work};
use paho_mqtt::{AsyncClient, CreateOptionsBuilder, Message, PersistenceType};

/// Messages of QoS 0 that are handed over together: as many as fit into the buffers of others.
const TOGETHER: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let job = Job::from_arguments();
    let options = CreateOptionsBuilder::new()
        .server_uri(format!("tcp://127.0.0.1:{}", job.port))
        .client_id("bench")
        .persistence(PersistenceType::None)
        .finalize();
    let client = AsyncClient::new(options)?;
    let messages = client.start_consuming();
    client.connect(None).wait()?;
    if job.work.receives() {
        client.subscribe(COMMANDS, 0).wait()?;
    }
    match job.work {
        Work::PublishQos0 => {
            for _ in 0..job.count {
                client.publish(Message::new(TOPIC, PAYLOAD, 0)).wait()?;
            }
        }
        Work::PublishQos1(_) | Work::BatchQos1 | Work::BatchQos0 => {
            let (qos, window) = match job.work {
                Work::BatchQos0 => (0, TOGETHER),
                work => (1, work.window()),
            };
            let mut pending = VecDeque::with_capacity(window);
            for _ in 0..job.count {
                if pending.len() == window
                    && let Some(oldest) = pending.pop_front()
                {
                    wait(oldest)?;
                }
                pending.push_back(client.publish(Message::new(TOPIC, PAYLOAD, qos)));
            }
            pending.into_iter().try_for_each(wait)?;
        }
        Work::ReceiveQos0 => {
            for _ in 0..job.count {
                messages.recv()?;
            }
        }
        Work::Reply => {
            for _ in 0..job.count {
                messages.recv()?;
                client.publish(Message::new(TOPIC, PAYLOAD, 0)).wait()?;
            }
        }
    }
    client.disconnect(None).wait()?;
    Ok(())
}

fn wait(token: paho_mqtt::DeliveryToken) -> Result<(), paho_mqtt::Error> {
    token.wait()
}
