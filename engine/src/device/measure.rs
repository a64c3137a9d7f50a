//! Measures uploads, downloads and launches on a device.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use arrow_buffer::Buffer;
use bytemuck::{Zeroable, bytes_of};
use keymill_shaders::{SelfTestParams, Stage};

use super::recording::{Extent, Recording};
use super::{Device, Fault};

/// Measures an upload. It includes the wait until the bytes are on the device.
pub(crate) fn upload(device: &dyn Device, bytes: &Buffer) -> Result<Duration, Fault> {
    let mut recording = Recording::default();
    let to = recording.scratch("bytes", bytes.len() as u64);
    recording.upload_to(to, bytes.clone());
    // The download of one word waits for the upload.
    recording.download(to, Extent::Bytes(4));
    timed(device, recording)
}

/// Measures the download of `bytes` bytes.
pub(crate) fn readback(device: &dyn Device, bytes: u64) -> Result<Duration, Fault> {
    let mut recording = Recording::default();
    let from = recording.scratch("bytes", bytes);
    recording.download(from, Extent::Bytes(bytes));
    timed(device, recording)
}

/// Measures a run that does nothing.
pub(crate) fn launch(device: &dyn Device) -> Result<Duration, Fault> {
    let mut recording = Recording::default();
    let asked = recording.upload("asked", bytes_of(&SelfTestParams::zeroed()).to_vec());
    let answers = recording.buffer("answers", 64);
    let word = recording.buffer("word", 16);
    recording.run(Stage::SelfTest, "long_loop", &[asked, answers, word], 1);
    recording.download(answers, Extent::Bytes(4));
    timed(device, recording)
}

fn timed(device: &dyn Device, recording: Recording) -> Result<Duration, Fault> {
    let started = Instant::now();
    device.run(&recording)?;
    Ok(started.elapsed())
}
