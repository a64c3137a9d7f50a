//! The adapters of this machine, what became of each one's self-test, and stages on them.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{Probed, Resident, ShaderVariant, Stage};
use crate::Result;

/// What is known of an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdapterInfo {
    /// What its driver calls it.
    pub name: String,
    /// The interface it is reached by: `vulkan`, `metal` or `dx12`.
    pub interface: &'static str,
    /// The driver and its version.
    pub driver: String,
    /// Whether it is software on the processor, which is for tests and never counts as a GPU.
    pub is_software: bool,
    /// The most bytes of a buffer that a shader sees at once.
    pub binding_bytes: u64,
    /// What its shaders may use beyond the core.
    pub offers: ShaderVariant,
    /// What they use in jobs: all that it offers, or the base where it got something wrong with that.
    pub shaders: ShaderVariant,
    /// Which shaders got something wrong, and what, where others are used instead of them.
    pub passed_over: Option<String>,
    /// Its place among all adapters.
    pub(crate) place: usize,
    /// Why it is not used: what it got wrong in its self-test. `None` if it got all right.
    pub refused: Option<String>,
}

impl AdapterInfo {
    /// The variants of the shaders that it has the features for, checked and unchecked, the base first.
    ///
    /// # Examples
    ///
    /// ```
    /// use keymill::probe::{self, Adapter, Resident, Stage};
    ///
    /// let text = Resident::text("to be\nor not\n");
    /// for info in probe::adapters().iter().filter(|info| info.refused.is_none()) {
    ///     let base = info.variants()[0];
    ///     let probed = Adapter::open_with(info, base)?.run(&Stage::Frame, &text, 1)?;
    ///     assert_eq!(probed.answer.rows, 2);
    /// }
    /// # Ok::<(), keymill::Error>(())
    /// ```
    #[must_use]
    pub fn variants(&self) -> Vec<ShaderVariant> {
        ShaderVariant::all_of(self.offers)
    }
}

/// Lists the adapters, hardware first, each after a self-test of some milliseconds.
///
/// It makes a device of each, which takes a while; a machine without a driver has none, and so has
/// a build without the feature `gpu`.
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

/// An adapter that is ready to run stages.
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

/// What an adapter can do at most, whatever runs on it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AdapterLimits {
    /// Bytes that it is given in a second.
    pub upload_bytes_per_second: f64,
    /// Bytes that it copies in a second from memory of the host that it reads by itself: pinned, as
    /// drivers call it. No way of giving it bytes is faster.
    pub pinned_bytes_per_second: f64,
    /// Bytes that it gives back in a second.
    pub readback_bytes_per_second: f64,
    /// What a run takes that does nothing, until its answer is there.
    pub launch: Duration,
}

impl Adapter {
    /// Makes a device of an adapter, with the shaders that jobs run on it.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Device`] if it is gone, is refused, or fails its self-test.
    pub fn open(info: &AdapterInfo) -> Result<Self> {
        Self::open_with(info, info.shaders)
    }

    /// Makes a device of an adapter, with such shaders.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Device`] if it is gone, lacks what the shaders need, or fails its self-test
    /// with them.
    #[cfg(feature = "gpu")]
    pub fn open_with(info: &AdapterInfo, variant: ShaderVariant) -> Result<Self> {
        let device = crate::device::open(info, variant).map_err(super::on_adapter::failed)?;
        Ok(Self { device })
    }

    /// Says that this build has no adapters.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Device`], always.
    #[cfg(not(feature = "gpu"))]
    pub fn open_with(_: &AdapterInfo, _: ShaderVariant) -> Result<Self> {
        let message = "this build has no feature `gpu`";
        Err(crate::Error::new(crate::ErrorKind::Device, message))
    }

    /// Runs a stage some times, after a first time that is not measured.
    ///
    /// [`super::Times::kernel`] is by the device's own clock where it has one, and else what is left
    /// of the whole.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Config`] for a stage that no adapter runs, data that is not the stage's,
    /// or text that adapters leave to the CPU; [`crate::ErrorKind::Device`] if the adapter fails;
    /// [`crate::ErrorKind::Internal`] if two runs answer differently.
    pub fn run(&self, stage: &Stage, data: &Resident, times: usize) -> Result<Probed> {
        self.run_in_chunks(
            stage,
            data,
            crate::Tuning::DEFAULT.device_chunk_bytes,
            times,
        )
    }

    /// As [`Adapter::run`], text in chunks of so many bytes, or of as many as the adapter takes at once
    /// if that is less. Jobs have chunks of some mebibytes, so that one is uploaded while another is
    /// worked on; [`super::Times::kernel`] of larger ones is what data costs that lies on the adapter.
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
            let mut stand = super::on_adapter::Stand::new(device, stage, data, chunk_bytes);
            super::repeat_timed(times, || stand.run())
        }
        #[cfg(not(feature = "gpu"))]
        {
            let _ = (stage, data, chunk_bytes, times);
            match self.never {}
        }
    }

    /// Measures what the adapter can do at most.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::Device`] if it fails.
    pub fn limits(&self) -> Result<AdapterLimits> {
        #[cfg(feature = "gpu")]
        return super::on_adapter::limits(&*self.device).map_err(super::on_adapter::failed);
        #[cfg(not(feature = "gpu"))]
        match self.never {}
    }
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adapter").finish_non_exhaustive()
    }
}
