//! The works of the benchmark on umqtt: its blocking driver over its own TCP transport.

use std::error::Error;

use harness::{BATCH, BUFFER, COMMANDS, Job, PAYLOAD, TOPIC, Work};
use umqtt::blocking::Client;
use umqtt::std::{Clock, TcpTransport};
use umqtt::{ClientError, Connect, Event, Publish, PublishError, Qos, Subscription};

fn main() -> Result<(), Box<dyn Error>> {
    let job = Job::from_arguments();
    let (mut receive, mut send) = ([0; BUFFER], [0; BUFFER]);
    let mut client = Client::new(&mut receive, &mut send, Clock::new());
    let transport = TcpTransport::connect(("127.0.0.1", job.port), 5_000)?;
    client.connect(transport, &Connect::new("bench"))?;
    if job.work.receives() {
        client.subscribe(&[Subscription::new(COMMANDS, Qos::AtMostOnce)])?;
    }
    work(&mut client, job)?;
    client.disconnect()?;
    Ok(())
}

fn work(client: &mut Client<'_, TcpTransport, Clock>, job: Job) -> Result<(), Box<dyn Error>> {
    let message = Publish::new(TOPIC, &PAYLOAD);
    match job.work {
        Work::PublishQos0 => {
            for _ in 0..job.count {
                client.publish(&message)?;
            }
        }
        Work::PublishQos1(1) => {
            for _ in 0..job.count {
                if let Some(identifier) = client.publish(&message.qos(Qos::AtLeastOnce))? {
                    client.settle(identifier, |_| {})?;
                }
            }
        }
        Work::PublishQos1(window) => {
            let (mut sent, mut done) = (0, 0);
            while done < job.count {
                while sent < job.count && sent - done < window {
                    client.publish(&message.qos(Qos::AtLeastOnce))?;
                    sent += 1;
                }
                if let Event::Published(..) = client.receive()? {
                    done += 1;
                }
            }
        }
        Work::ReceiveQos0 => {
            let mut received = 0;
            while received < job.count {
                if let Event::Message(_) = client.receive()? {
                    received += 1;
                }
            }
        }
        Work::Reply => {
            let mut replied = 0;
            while replied < job.count {
                if let Event::Message(_) = client.receive()? {
                    client.publish(&message)?;
                    replied += 1;
                }
            }
        }
        Work::BatchQos0 => {
            for _ in 0..job.count {
                // What is queued leaves in one write once there is no room for more.
                match client.queue(&message) {
                    Err(ClientError::Publish(PublishError::Full)) => {
                        client.publish(&message)?;
                    }
                    queued => drop(queued?),
                }
            }
            client.flush()?;
        }
        Work::BatchQos1 => {
            let (mut sent, mut done) = (0, 0);
            while done < job.count {
                while sent < job.count && sent - done < BATCH {
                    client.queue(&message.qos(Qos::AtLeastOnce))?;
                    sent += 1;
                }
                while done < sent {
                    if let Event::Published(..) = client.receive()? {
                        done += 1;
                    }
                }
            }
        }
    }
    Ok(())
}
