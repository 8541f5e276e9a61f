//! The works of the benchmark on a socket, with packets made beforehand: nobody can do less.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use harness::{BATCH, BUFFER, COMMANDS, Job, PAYLOAD, TOPIC, Work};

/// Bytes of an acknowledgement.
const PUBACK: usize = 4;

fn main() -> io::Result<()> {
    let job = Job::from_arguments();
    let mut socket = TcpStream::connect(("127.0.0.1", job.port))?;
    socket.set_nodelay(true)?;
    socket.write_all(b"\x10\x11\0\x04MQTT\x04\x02\0\x3c\0\x05bench")?;
    socket.read_exact(&mut [0; 4])?;
    if job.work.receives() {
        let remaining = 5 + COMMANDS.len() as u8;
        let mut subscribe = vec![0x82, remaining, 0, 1, 0, COMMANDS.len() as u8];
        subscribe.extend(COMMANDS.bytes());
        subscribe.push(0);
        socket.write_all(&subscribe)?;
        socket.read_exact(&mut [0; 5])?;
    }
    work(&mut socket, job)?;
    socket.write_all(&[0xe0, 0])
}

fn work(socket: &mut TcpStream, job: Job) -> io::Result<()> {
    match job.work {
        Work::PublishQos0 => {
            let packet = packet(0);
            for _ in 0..job.count {
                socket.write_all(&packet)?;
            }
        }
        Work::PublishQos1(window) => publish_qos1(socket, job.count, window)?,
        Work::ReceiveQos0 => {
            let mut buffer = vec![0; 1 << 16];
            let mut left = job.count * (4 + COMMANDS.len() + PAYLOAD.len());
            while left > 0 {
                left -= read(socket, &mut buffer)?;
            }
        }
        Work::Reply => {
            let packet = packet(0);
            let mut buffer = [0; 256];
            for _ in 0..job.count {
                read(socket, &mut buffer)?;
                socket.write_all(&packet)?;
            }
        }
        Work::BatchQos0 => {
            let packet = packet(0);
            let together = BUFFER / packet.len();
            let packets = packet.repeat(together);
            let mut left = job.count;
            while left > 0 {
                let now = left.min(together);
                socket.write_all(&packets[..now * packet.len()])?;
                left -= now;
            }
        }
        Work::BatchQos1 => batch_qos1(socket, job.count)?,
    }
    Ok(())
}

fn batch_qos1(socket: &mut TcpStream, count: usize) -> io::Result<()> {
    let packet = packet(1);
    let mut packets = packet.repeat(BATCH);
    let identifier = 4 + TOPIC.len();
    let mut buffer = [0; 256];
    let mut done = 0;
    while done < count {
        let now = BATCH.min(count - done);
        for (index, packet) in packets.chunks_mut(packet.len()).enumerate() {
            let number = ((done + index) % 0xffff + 1) as u16;
            packet[identifier..identifier + 2].copy_from_slice(&number.to_be_bytes());
        }
        socket.write_all(&packets[..now * packet.len()])?;
        let mut acknowledged = 0;
        while acknowledged < now * PUBACK {
            acknowledged += read(socket, &mut buffer)?;
        }
        done += now;
    }
    Ok(())
}

fn publish_qos1(socket: &mut TcpStream, count: usize, window: usize) -> io::Result<()> {
    let mut packet = packet(1);
    let identifier = 4 + TOPIC.len();
    let mut buffer = [0; 256];
    let (mut sent, mut done) = (0, 0);
    while done < count {
        while sent < count && sent - done < window {
            let number = (sent % 0xffff + 1) as u16;
            packet[identifier..identifier + 2].copy_from_slice(&number.to_be_bytes());
            socket.write_all(&packet)?;
            sent += 1;
        }
        done += read(socket, &mut buffer)? / PUBACK;
    }
    Ok(())
}

fn read(socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    match socket.read(buffer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => Ok(count),
    }
}

/// A PUBLISH of this QoS, 0 or 1.
fn packet(qos: u8) -> Vec<u8> {
    let identifier = 2 * usize::from(qos);
    let remaining = 2 + TOPIC.len() + identifier + PAYLOAD.len();
    let mut packet = vec![0x30 | qos << 1, remaining as u8, 0, TOPIC.len() as u8];
    packet.extend(TOPIC.bytes());
    packet.resize(packet.len() + identifier, 0);
    packet.extend(PAYLOAD);
    packet
}
