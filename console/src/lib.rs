//! Local control of a device, with no broker and no cloud: a page for the browser and the HTTP API
//! behind it, MicroPython's WebREPL protocol, and a line console that a serial port, WebREPL and a
//! desk share.

#![no_std]
#![forbid(unsafe_code)]

pub mod page;
