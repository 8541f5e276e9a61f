//! The session with MQTT 5, in virtual time, chapter by chapter. Packets of the server are written
//! by hand from the standard; those of the client are read by `mqttbytes`, or compared byte by byte.

mod authenticate;
mod connect;
mod disconnect;
mod fuzz;
mod malformed;
mod malformed_3;
mod oversize;
mod pair;
mod publish;
mod receive;
mod snapshot;
mod standard;
mod stream;
mod subscribe;
mod window;
