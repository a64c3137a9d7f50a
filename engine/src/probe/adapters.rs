//! Lists the adapters of this machine, and runs stages on them.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{AdapterInfo, Probed, Resident, ShaderVariant, Stage};
use crate::Result;

/// Lists the adapters, hardware first, with the results of their self-tests.
///
/// It opens a device on each adapter, which takes some time. The list is empty on a machine without
/// a driver, and in a build without the feature `gpu`.
///
/// # Examples
///
/// ```
/// for adapter in keymill::probe::adapters() {
///     match &adapter.refused {
///         None => println!("{}", adapter.name),
///         Some(why) => println!("{}, which is not used: {why}", adapter.name),
///     }
/// }
/// ```
#[must_use]
pub fn adapters() -> Vec<AdapterInfo> {
    #[cfg(feature = "gpu")]
    let found = crate::device::tested_adapters();
    #[cfg(not(feature = "gpu"))]
    let found = Vec::new();
    found
}

/// An open adapter that runs stages.
///
/// # Examples
///
/// ```
/// use keymill::TokenRule;
/// use keymill::probe::{self, Adapter, Resident, Stage};
///
/// let text = Resident::text("to be or not to be");
/// let count = Stage::Count(TokenRule::Whitespace);
/// for info in probe::adapters().iter().filter(|info| info.refused.is_none()) {
///     let probed = Adapter::open(info)?.run(&count, &text, 3)?;
///     assert_eq!((probed.answer.rows, probed.answer.groups), (6, 4));
/// }
/// # Ok::<(), keymill::Error>(())
/// ```
pub struct Adapter {
    #[cfg(feature = "gpu")]
    device: std::sync::Arc<dyn crate::device::Device>,
    #[cfg(not(feature = "gpu"))]
    never: std::convert::Infallible,
}

/// The upper bounds of an adapter's throughput.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AdapterLimits {
    /// Uploads in bytes per second.
    pub upload_bytes_per_second: f64,
    /// Copies from pinned host memory, which the device reads directly, in bytes per second. No
    /// upload is faster.
    pub pinned_bytes_per_second: f64,
    /// Downloads in bytes per second.
    pub readback_bytes_per_second: f64,
    /// The time of a run that does nothing, including the wait for its result.
    pub launch: Duration,
}

impl Adapter {
    /// Opens a device on an adapter, with the shaders that jobs use on it.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Device`] if it has disappeared, is refused, or fails its self-test.
    pub fn open(info: &AdapterInfo) -> Result<Self> {
        Self::open_with(info, info.shaders)
    }

    /// Opens a device on an adapter, with a shader variant.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Device`] if it has disappeared, lacks a feature that the shaders need,
    /// or fails its self-test with them.
    #[cfg(feature = "gpu")]
    pub fn open_with(info: &AdapterInfo, variant: ShaderVariant) -> Result<Self> {
        let device = crate::device::open(info, variant).map_err(super::on_adapter::to_error)?;
        Ok(Self { device })
    }

    /// Fails: this build has no adapters.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Device`], always.
    #[cfg(not(feature = "gpu"))]
    pub fn open_with(_: &AdapterInfo, _: ShaderVariant) -> Result<Self> {
        let message = "this build has no feature `gpu`";
        Err(crate::Error::new(crate::ErrorKind::Device, message))
    }

    /// Runs a stage `times` times, after a warm-up run that is not measured.
    ///
    /// [`super::Times::kernel`] is measured with the device's clock if it has one. Otherwise it is
    /// the whole time without the copies.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Config`] for a stage that no adapter runs, data of the wrong kind, or
    /// text that adapters do not support; [`crate::ErrorKind::Device`] if the adapter fails;
    /// [`crate::ErrorKind::Internal`] if two runs return different results.
    pub fn run(&self, stage: &Stage, data: &Resident, times: usize) -> Result<Probed> {
        self.run_in_chunks(
            stage,
            data,
            crate::Tuning::DEFAULT.device_chunk_bytes,
            times,
        )
    }

    /// Works as [`Adapter::run`], with text in chunks of `chunk_bytes` bytes, or of the largest
    /// size that the adapter supports if that is smaller. Jobs use chunks of some mebibytes, so
    /// that one is uploaded while another is processed. With larger chunks [`super::Times::kernel`]
    /// is the cost of data that is on the adapter already.
    ///
    /// # Errors
    ///
    /// As [`Adapter::run`].
    pub fn run_in_chunks(
        &self,
        stage: &Stage,
        data: &Resident,
        chunk_bytes: usize,
        times: usize,
    ) -> Result<Probed> {
        #[cfg(feature = "gpu")]
        {
            let device = &self.device;
            let mut runner = super::on_adapter::StageRunner::new(device, stage, data, chunk_bytes);
            super::repeat_timed(times, || runner.run())
        }
        #[cfg(not(feature = "gpu"))]
        {
            let _ = (stage, data, chunk_bytes, times);
            match self.never {}
        }
    }

    /// Measures the upper bounds of the adapter's throughput.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Device`] if it fails.
    pub fn limits(&self) -> Result<AdapterLimits> {
        #[cfg(feature = "gpu")]
        return super::on_adapter::limits(&*self.device).map_err(super::on_adapter::to_error);
        #[cfg(not(feature = "gpu"))]
        match self.never {}
    }
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adapter").finish_non_exhaustive()
    }
}
