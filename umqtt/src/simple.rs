//! The verbs of MicroPython's `umqtt.simple`, so that a port is line by line.
//!
//! | MicroPython | here |
//! |---|---|
//! | `MQTTClient(id, server, user=u, password=p, keepalive=60)` | [`MqttClient::new`], [`user`](MqttClient::user), [`keepalive`](MqttClient::keepalive); with `std` also `umqtt::std::mqtt_client` |
//! | `c.set_callback(f)` | [`c.set_callback(&mut f)`](MqttClient::set_callback) |
//! | `c.set_last_will(topic, msg, retain=False, qos=0)` | [`c.set_last_will(topic, msg, false, Qos::AtMostOnce)`](MqttClient::set_last_will) |
//! | `c.connect(clean_session=True)` | [`c.connect(true)?`](MqttClient::connect) |
//! | `c.publish(topic, msg, retain=False, qos=0)` | [`c.publish(topic, msg, false, Qos::AtMostOnce)?`](MqttClient::publish) |
//! | `c.subscribe(topic, qos=0)` | [`c.subscribe(topic, Qos::AtMostOnce)?`](MqttClient::subscribe) |
//! | `c.wait_msg()` | [`c.wait_msg()?`](MqttClient::wait_msg) |
//! | `c.check_msg()` | [`c.check_msg()?`](MqttClient::check_msg) |
//! | `c.ping()` | [`c.ping()?`](MqttClient::ping) |
//! | `c.disconnect()` | [`c.disconnect()?`](MqttClient::disconnect) |
//! | `MQTTException(n)` | [`Error::Refused`](crate::Error::Refused) from `connect`, [`ClientError::Refused`] from `subscribe` |
//! | `OSError` | every other [`ClientError`] |
//!
//! One thing cannot be taken over: a callback that publishes. It would use the client that is just
//! calling it. Note in the callback what is to be said, and say it when `check_msg` has returned:
//!
//! ```no_run
//! # #[cfg(feature = "std")] {
//! use std::cell::Cell;
//! use umqtt::Qos;
//!
//! let reply = Cell::new(None);
//! let mut sub_cb = |topic: &str, msg: &[u8]| {
//!     if topic == "1226d800" {
//!         match msg {
//!             b"on" => reply.set(Some("on-1")),
//!             b"off" => reply.set(Some("on-0")),
//!             _ => {}
//!         }
//!     }
//! };
//! let (mut receive, mut send) = ([0; 256], [0; 256]);
//! let mut client =
//!     umqtt::std::mqtt_client("1226d800", "localhost", 1883, &mut receive, &mut send).keepalive(60);
//! client.set_callback(&mut sub_cb);
//! client.connect(true)?;
//! client.subscribe("1226d800", Qos::AtMostOnce)?;
//! loop {
//!     client.wait_msg()?;
//!     if let Some(reply) = reply.take() {
//!         client.publish("1226d800After", reply.as_bytes(), false, Qos::AtMostOnce)?;
//!     }
//! }
//! # }
//! # Ok::<(), umqtt::ClientError<std::io::Error>>(())
//! ```
//!
//! What is better than in the original: packets of any size and at any QoS, identifiers that never
//! overflow, one write per packet, a PINGREQ when keep-alive asks for it, an error or an answer
//! within bounded time where the original hangs or reads on in the middle of a packet.

use embedded_io::{Read, ReadReady, Write};

use crate::blocking::Client;
use crate::clock::Clock;
use crate::error::ClientError;
use crate::packet::connect::{Connect, Credentials};
use crate::packet::properties::PropertyList;
use crate::packet::publish::Publish;
use crate::packet::subscribe::Subscription;
use crate::packet::{Qos, Version};
use crate::session::Event;

/// A callback for messages: topic and payload.
pub type Callback<'a> = &'a mut dyn FnMut(&str, &[u8]);

/// `umqtt.simple.MQTTClient`, over the [blocking driver](crate::blocking).
pub struct MqttClient<'a, T, O, C> {
    client: Client<'a, T, C>,
    open: O,
    connect: Connect<'a>,
    callback: Option<Callback<'a>>,
}

impl<'a, T, O, C> MqttClient<'a, T, O, C>
where
    T: Read + Write,
    O: FnMut() -> Result<T, T::Error>,
    C: Clock,
{
    /// A client that is not connected. `open` opens a connection to the server; it is called by
    /// every [`connect`](Self::connect). `receive` holds the largest message that can be taken,
    /// `send` the largest that can be published and 12 bytes more.
    pub fn new(
        client_id: &'a str,
        open: O,
        clock: C,
        receive: &'a mut [u8],
        send: &'a mut [u8],
    ) -> Self {
        MqttClient {
            client: Client::new(receive, send, clock),
            open,
            connect: Connect {
                version: Version::V3_1_1,
                keep_alive: 0,
                ..Connect::new(client_id)
            },
            callback: None,
        }
    }

    /// With a user name and password (`user=`, `password=`).
    #[must_use]
    pub fn user(mut self, user: &'a str, password: &'a str) -> Self {
        self.connect.credentials = Some(Credentials {
            user_name: user,
            password: Some(password.as_bytes()),
        });
        self
    }

    /// With a keep-alive in seconds (`keepalive=`); without one the server never gives this client
    /// up, and this client never finds out that the server is gone.
    #[must_use]
    pub fn keepalive(mut self, seconds: u16) -> Self {
        self.connect.keep_alive = seconds;
        self
    }

    /// What is called with the topic and payload of every message. A message larger than the
    /// receive buffer is thrown away.
    pub fn set_callback(&mut self, callback: Callback<'a>) {
        self.callback = Some(callback);
    }

    /// The message the server publishes when this client is gone without a
    /// [`disconnect`](Self::disconnect). Before [`connect`](Self::connect).
    pub fn set_last_will(&mut self, topic: &'a str, message: &'a [u8], retain: bool, qos: Qos) {
        self.connect.will = Some(Publish {
            topic,
            payload: message,
            qos,
            retain,
            properties: PropertyList::NONE,
        });
    }

    /// Opens a connection and connects. Returns whether the server still had this client's
    /// session.
    pub fn connect(&mut self, clean_session: bool) -> Result<bool, ClientError<T::Error>> {
        self.connect.clean_session = clean_session;
        let transport = (self.open)().map_err(ClientError::Transport)?;
        self.client.connect(transport, &self.connect)
    }

    /// Disconnects, so that the server forgets the will, and closes the connection.
    pub fn disconnect(&mut self) -> Result<(), ClientError<T::Error>> {
        self.client.disconnect()
    }

    /// Sends a PINGREQ; the answer is taken by [`wait_msg`](Self::wait_msg).
    pub fn ping(&mut self) -> Result<(), ClientError<T::Error>> {
        self.client.ping()
    }

    /// Publishes a message; at QoS 1 and 2, waits until the server has it. Messages that come
    /// meanwhile go to the callback.
    pub fn publish(
        &mut self,
        topic: &str,
        message: &[u8],
        retain: bool,
        qos: Qos,
    ) -> Result<(), ClientError<T::Error>> {
        let publish = Publish {
            topic,
            payload: message,
            qos,
            retain,
            properties: PropertyList::NONE,
        };
        match self.client.publish(&publish)? {
            Some(identifier) => self.settle(identifier),
            None => Ok(()),
        }
    }

    /// Subscribes, and waits for the server's answer. Messages that come meanwhile go to the
    /// callback.
    pub fn subscribe(&mut self, topic: &str, qos: Qos) -> Result<(), ClientError<T::Error>> {
        let identifier = self.client.subscribe(&[Subscription::new(topic, qos)])?;
        self.settle(identifier)
    }

    /// Waits for one message and hands it to the callback; also returns when the answer to a
    /// PINGREQ has come.
    pub fn wait_msg(&mut self) -> Result<(), ClientError<T::Error>> {
        let event = self.client.receive()?;
        deliver(&mut self.callback, event);
        self.client.acknowledge();
        self.client.flush()
    }

    /// As [`wait_msg`](Self::wait_msg) if a message is there, whole; else does nothing.
    pub fn check_msg(&mut self) -> Result<(), ClientError<T::Error>>
    where
        T: ReadReady,
    {
        if let Some(event) = self.client.try_receive()? {
            deliver(&mut self.callback, event);
            self.client.acknowledge();
        }
        self.client.flush()
    }

    fn settle(&mut self, identifier: crate::PacketIdentifier) -> Result<(), ClientError<T::Error>> {
        let callback = &mut self.callback;
        let result = self
            .client
            .settle(identifier, |event| deliver(callback, event));
        if let Err(ClientError::Refused(_)) | Ok(()) = result {
            self.client.flush()?;
        }
        result
    }
}

fn deliver(callback: &mut Option<Callback<'_>>, event: Event<'_>) {
    if let (Some(callback), Event::Message(message)) = (callback, event) {
        callback(message.topic.as_str(), message.payload);
    }
}
