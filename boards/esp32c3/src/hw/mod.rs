//! The chip's parts that the device uses, each behind the little it needs of it.

pub mod button;
pub mod flash;
pub mod led;
pub mod pins;
pub mod power;
pub mod radio;
pub mod random;
pub mod sensor;
pub mod switch;
