//! The choice of the device for jobs.
#![forbid(unsafe_code)]

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind, Result};

/// Where jobs run: on the CPU, on a GPU, or on both.
///
/// The results are the same everywhere. If a device does not answer, the job stops waiting after 60
/// to 80 seconds, and the CPU counts the affected chunks again.
///
/// # Examples
///
/// ```
/// use keymill::DeviceChoice;
///
/// let choice: DeviceChoice = "gpu:H200".parse()?;
/// assert_eq!(choice, DeviceChoice::Named("H200".to_owned()));
/// assert_eq!(DeviceChoice::default().to_string(), "auto");
/// # Ok::<(), keymill::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceChoice {
    /// The CPU, and a GPU if it is faster according to measurements. Software adapters are never
    /// used. If the input is smaller than 32 MiB (34 MB), no driver is loaded.
    #[default]
    Auto,
    /// The CPU only.
    Cpu,
    /// The best adapter: hardware if there is any, otherwise software.
    Gpu,
    /// The first adapter whose name contains this text, ignoring case.
    Named(String),
    /// The CPU and the best adapter together.
    Hybrid,
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "cpu" => Ok(Self::Cpu),
            None if text == "gpu" => Ok(Self::Gpu),
            None if text == "hybrid" => Ok(Self::Hybrid),
            Some(("gpu", name)) if !name.is_empty() => Ok(Self::Named(name.to_owned())),
            _ => {
                let message = "the device must be auto, cpu, gpu, gpu:NAME or hybrid";
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu => f.write_str("gpu"),
            Self::Named(name) => write!(f, "gpu:{name}"),
            Self::Hybrid => f.write_str("hybrid"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_parse_and_print() {
        for text in ["auto", "cpu", "gpu", "hybrid", "gpu:NVIDIA H200"] {
            let choice: DeviceChoice = text.parse().unwrap();
            assert_eq!(choice.to_string(), text);
        }
        for text in ["", "gpu:", "GPU", "cpu:0", "hybrid:x"] {
            let error = text.parse::<DeviceChoice>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
        }
    }
}
