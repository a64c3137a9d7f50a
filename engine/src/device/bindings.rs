//! Checks that the buffers of a recording fit the binding limit of a device.
#![forbid(unsafe_code)]

use super::recording::Recording;
use super::{Device, Fault};
use crate::Cancel;

/// Runs a recording, or refuses it if a buffer is larger than the device can bind.
pub(super) fn run_bound(device: &dyn Device, recording: &Recording) -> Result<Vec<Vec<u8>>, Fault> {
    run_bound_until(device, recording, &Cancel::default())
}

/// The same; a flag ends the wait for the device.
pub(super) fn run_bound_until(
    device: &dyn Device,
    recording: &Recording,
    cancel: &Cancel,
) -> Result<Vec<Vec<u8>>, Fault> {
    let limit = device.binding_bytes();
    let too_large = recording.buffers().iter().find(|it| it.bytes > limit);
    if let Some(buffer) = too_large {
        let (name, bytes) = (buffer.name, buffer.bytes);
        let message = format!("{bytes} bytes of {name} at once; the limit is {limit}");
        return Err(Fault::Refused(message));
    }
    let ran = device.begin(recording.clone())(cancel)?;
    Ok(ran.downloads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::RecordingOutput;
    use crate::device::stub::Stub;

    #[test]
    fn a_buffer_that_is_too_large_is_named() {
        let small = Stub {
            binding_bytes: 1024,
            answer: Some(Ok(RecordingOutput::default())),
        };
        let mut recording = Recording::default();
        recording.buffer("spans", 1024);
        assert_eq!(run_bound(&small, &recording), Ok(Vec::new()));
        recording.buffer("states", 1025);
        let fault = run_bound(&small, &recording).unwrap_err().to_string();
        assert!(
            fault.contains("1040 bytes of states at once; the limit is 1024"),
            "{fault}"
        );
    }
}
