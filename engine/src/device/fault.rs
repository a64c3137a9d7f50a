//! Errors of devices.
#![forbid(unsafe_code)]

use std::fmt;

/// The reason why a device gave no usable result. The CPU then does the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The device was lost.
    Lost(String),
    /// The device refused a command, or the input is outside its limits.
    Refused(String),
    /// There is no such device.
    Missing(String),
    /// The device has too little memory.
    OutOfMemory(String),
    /// The device did not answer in time.
    TimedOut,
    /// The job was cancelled.
    Cancelled,
    /// The driver or its library panicked.
    Panicked(String),
    /// The result violates an equation that must hold.
    NotConserved(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(why) => write!(f, "the device was lost: {why}"),
            Self::Missing(why) => f.write_str(why),
            Self::Refused(why) => write!(f, "the device refused: {why}"),
            Self::OutOfMemory(why) => write!(f, "the device is out of memory: {why}"),
            Self::Cancelled => f.write_str("the wait for the device was cancelled"),
            Self::TimedOut => f.write_str("the device did not answer in time"),
            Self::Panicked(why) => write!(f, "the driver panicked: {why}"),
            Self::NotConserved(why) => write!(f, "the device returned a wrong result: {why}"),
        }
    }
}
