//! Where jobs are to run.
#![forbid(unsafe_code)]

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind, Result};

/// Where jobs run: on the processor, on a GPU, or on both.
///
/// The answers are the same wherever they run. A device that does not answer keeps a job waiting: it is
/// given up after 60 to 80 seconds, and the processor counts again what it had.
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
    /// Where it is fastest, as far as is known; never on software that plays a GPU. Less than 32 MiB of
    /// input (34 MB) is counted on the processor before any driver is asked.
    #[default]
    Auto,
    /// On the processor.
    Cpu,
    /// On the best adapter: hardware if there is any, or else software.
    Gpu,
    /// On the first adapter whose name has this in it, whatever the case.
    Named(String),
    /// On the processor and the best adapter at once.
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
                let message = "devices are auto, cpu, gpu, gpu:NAME and hybrid";
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
    fn choices_are_read_as_they_are_written() {
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
