//! The adapters of this machine, and what became of each one's self-test.
#![forbid(unsafe_code)]

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
    /// Why it is not used: what it got wrong in its self-test. `None` if it got all right.
    pub refused: Option<String>,
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
