//! Lists the adapters and opens a device on one of them.
#![forbid(unsafe_code)]

use wgpu::{
    Adapter, Backends, Device, DeviceDescriptor, DeviceType, Features, Instance,
    InstanceDescriptor, InstanceFlags, Limits, Queue,
};

use crate::device::Fault;
use crate::plan::ShaderVariant;

/// An adapter that the driver lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundAdapter {
    /// Its index in the list, by which it is opened.
    pub(crate) index: usize,
    pub(crate) name: String,
    /// Whether it is software that runs on the CPU. It is for tests and never counts as a GPU.
    pub(crate) is_software: bool,
    /// The graphics API: Vulkan, Metal or Direct3D 12.
    pub(crate) interface: &'static str,
    pub(crate) driver: String,
    /// The maximum size of a storage buffer binding in bytes.
    pub(crate) binding_bytes: u64,
    /// The optional shader features that it supports.
    pub(crate) offers: ShaderVariant,
}

impl FoundAdapter {
    /// Returns its name. The name of a software adapter says that it is software.
    pub(crate) fn shown_name(&self) -> String {
        match self.is_software {
            true => format!("software Vulkan ({})", self.name),
            false => self.name.clone(),
        }
    }
}

#[cfg(test)]
impl FoundAdapter {
    pub(crate) fn named(name: &str) -> Self {
        Self {
            index: 0,
            name: name.to_owned(),
            is_software: false,
            interface: "vulkan",
            driver: String::new(),
            binding_bytes: 1 << 27,
            offers: ShaderVariant::BASE,
        }
    }
}

/// Lists the adapters, hardware first. The order is always the same.
pub(super) fn list() -> Vec<FoundAdapter> {
    let mut found: Vec<FoundAdapter> = (0..).zip(&all()).map(describe).collect();
    found.sort_by_key(|found| found.is_software);
    found
}

/// Opens a device with the features that a shader variant needs, and no others except timestamps.
pub(super) fn open(index: usize, variant: ShaderVariant) -> Result<(Device, Queue), Fault> {
    let adapter = all()
        .into_iter()
        .nth(index)
        .ok_or_else(|| Fault::Lost("the adapter has disappeared".to_owned()))?;
    let has = adapter.limits();
    let descriptor = DeviceDescriptor {
        label: Some("keymill"),
        required_features: features_of(variant) | (adapter.features() & Features::TIMESTAMP_QUERY),
        // The limits that WebGPU guarantees, except for the sizes of buffers.
        required_limits: Limits {
            max_buffer_size: has.max_buffer_size,
            max_storage_buffer_binding_size: binding_bytes(&adapter),
            ..Limits::default()
        },
        ..DeviceDescriptor::default()
    };
    pollster::block_on(adapter.request_device(&descriptor))
        .map_err(|error| Fault::Refused(error.to_string()))
}

const WIDE_ATOMICS: Features = Features::SHADER_INT64.union(Features::SHADER_INT64_ATOMIC_ALL_OPS);

/// Returns the features that a shader variant needs.
fn features_of(variant: ShaderVariant) -> Features {
    let mut features = Features::empty();
    features.set(Features::SUBGROUP, variant.subgroups);
    features.set(WIDE_ATOMICS, variant.wide_atomics);
    features
}

/// Returns the optional shader features that an adapter supports.
fn offers(adapter: &Adapter) -> ShaderVariant {
    let has = adapter.features();
    let mut offers = ShaderVariant::BASE;
    offers.subgroups = has.contains(Features::SUBGROUP);
    offers.wide_atomics = has.contains(WIDE_ATOMICS);
    offers
}

fn all() -> Vec<Adapter> {
    let instance = Instance::new(InstanceDescriptor {
        backends: Backends::PRIMARY,
        flags: InstanceFlags::empty(),
        ..InstanceDescriptor::new_without_display_handle()
    });
    pollster::block_on(instance.enumerate_adapters(Backends::PRIMARY))
}

/// Returns the binding limit, at most 31 bits, so that every position in a buffer fits in 32 bits.
fn binding_bytes(adapter: &Adapter) -> u64 {
    let limit = adapter.limits().max_storage_buffer_binding_size;
    limit.min(i32::MAX as u64 / 16 * 16)
}

fn describe((index, adapter): (usize, &Adapter)) -> FoundAdapter {
    let info = adapter.get_info();
    let driver = [info.driver, info.driver_info].join(" ");
    FoundAdapter {
        index,
        name: info.name,
        is_software: info.device_type == DeviceType::Cpu,
        interface: info.backend.to_str(),
        driver: driver.trim().to_owned(),
        binding_bytes: binding_bytes(adapter),
        offers: offers(adapter),
    }
}
