//! Whether a device binds all that a recording needs.
#![forbid(unsafe_code)]

use super::recording::Recording;
use super::{Device, Fault};

/// Runs a recording of which the device binds every buffer; another is refused.
pub(super) fn run_bound(device: &dyn Device, recording: &Recording) -> Result<Vec<Vec<u8>>, Fault> {
    let most = device.binding_bytes();
    let too_large = recording.buffers().iter().find(|it| it.bytes > most);
    if let Some(buffer) = too_large {
        let (name, bytes) = (buffer.name, buffer.bytes);
        let message = format!("{bytes} bytes of {name} at once; it takes {most}");
        return Err(Fault::Refused(message));
    }
    device.run(recording)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that binds little and answers nothing.
    struct Small;

    impl Device for Small {
        fn run(&self, _: &Recording) -> Result<Vec<Vec<u8>>, Fault> {
            Ok(Vec::new())
        }

        fn binding_bytes(&self) -> u64 {
            1024
        }
    }

    #[test]
    fn a_buffer_that_is_too_large_is_named() {
        let mut recording = Recording::default();
        recording.buffer("spans", 1024);
        assert_eq!(run_bound(&Small, &recording), Ok(Vec::new()));
        recording.buffer("states", 1025);
        let fault = run_bound(&Small, &recording).unwrap_err().to_string();
        assert!(
            fault.contains("1040 bytes of states at once; it takes 1024"),
            "{fault}"
        );
    }
}
