//! The memory of a UDP socket.

use embassy_net::Stack;
use embassy_net::udp::{PacketMetadata, UdpSocket};

/// Room for datagrams that wait to be read, and for some that wait to be sent: so many bytes, and so many
/// datagrams, of each.
pub(crate) struct Memory<
    const RECEIVE: usize,
    const RECEIVED: usize,
    const SEND: usize,
    const SENT: usize,
> {
    receive: [u8; RECEIVE],
    received: [PacketMetadata; RECEIVED],
    send: [u8; SEND],
    sent: [PacketMetadata; SENT],
}

impl<const RECEIVE: usize, const RECEIVED: usize, const SEND: usize, const SENT: usize>
    Memory<RECEIVE, RECEIVED, SEND, SENT>
{
    pub const fn new() -> Self {
        Memory {
            receive: [0; RECEIVE],
            received: [PacketMetadata::EMPTY; RECEIVED],
            send: [0; SEND],
            sent: [PacketMetadata::EMPTY; SENT],
        }
    }

    /// A socket in this memory, which is not bound yet.
    pub fn socket<'a>(&'a mut self, stack: Stack<'a>) -> UdpSocket<'a> {
        UdpSocket::new(
            stack,
            &mut self.received,
            &mut self.receive,
            &mut self.sent,
            &mut self.send,
        )
    }
}
