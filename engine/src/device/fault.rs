//! Why a device gave no answer that can be used.
#![forbid(unsafe_code)]

use std::fmt;

/// Why a device gave no answer; the CPU then gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The device is gone, or was.
    Lost(String),
    /// It refused what it was asked.
    Refused(String),
    /// There is none.
    Missing(String),
    /// It has no memory for what it was asked.
    OutOfMemory(String),
    /// It did not answer in time.
    TimedOut,
    /// Nobody waits for it any more.
    Cancelled,
    /// The driver or its library panicked.
    Panicked(String),
    /// It answered, and an equation that must hold does not.
    NotConserved(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(why) => write!(f, "the device was lost: {why}"),
            Self::Missing(why) => f.write_str(why),
            Self::Refused(why) => write!(f, "the device refused: {why}"),
            Self::OutOfMemory(why) => write!(f, "the device is out of memory: {why}"),
            Self::Cancelled => f.write_str("nobody waits for the device any more"),
            Self::TimedOut => f.write_str("the device did not answer in time"),
            Self::Panicked(why) => write!(f, "the driver panicked: {why}"),
            Self::NotConserved(why) => write!(f, "the device answered wrongly: {why}"),
        }
    }
}
