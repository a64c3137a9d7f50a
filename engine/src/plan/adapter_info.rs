//! What is known of a GPU adapter.
#![forbid(unsafe_code)]

use super::ShaderVariant;

/// An adapter of this machine and the result of its self-test.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdapterInfo {
    /// The name that the driver reports.
    pub name: String,
    /// The graphics API that reaches it: `vulkan`, `metal` or `dx12`.
    pub interface: &'static str,
    /// The driver and its version.
    pub driver: String,
    /// Whether it is software that runs on the CPU. Such an adapter is for tests and never counts
    /// as a GPU.
    pub is_software: bool,
    /// The maximum size of a storage buffer binding in bytes.
    pub binding_bytes: u64,
    /// The optional shader features that it supports.
    pub offers: ShaderVariant,
    /// The shader features that jobs use on it: all that it offers, or the base variant if the
    /// self-test failed with them.
    pub shaders: ShaderVariant,
    /// Which variant failed the self-test, and how, if jobs use another variant instead.
    pub passed_over: Option<String>,
    /// Its index in the list of adapters.
    pub(crate) index: usize,
    /// Why it is not used: the check of the self-test that failed. `None` if all checks passed.
    pub refused: Option<String>,
}

impl AdapterInfo {
    /// Returns the shader variants that it supports, checked and unchecked. The base is the first.
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
