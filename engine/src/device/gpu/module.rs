//! Makes a shader ready for a device: with the checks that its compiler adds, or without.
#![allow(
    unsafe_code,
    reason = "wgpu has a caller answer for shaders that run unchecked"
)]

use keymill_shaders::Shader;
use wgpu::{Device, ShaderModule, ShaderModuleDescriptor, ShaderRuntimeChecks, ShaderSource};

/// Makes the module of a shader.
pub(super) fn module(device: &Device, shader: &Shader, is_unchecked: bool) -> ShaderModule {
    let descriptor = ShaderModuleDescriptor {
        label: Some(shader.stage().name()),
        source: ShaderSource::Wgsl(shader.wgsl().into()),
    };
    if !is_unchecked {
        return device.create_shader_module(descriptor);
    }
    // SAFETY: `Shader` is made of this repository's files alone. They guard every index by the length
    // of what it is an index of, or by a size that the host makes the buffer as large as; every loop
    // ends after a number of rounds that is bounded when it begins; nothing divides by what may be
    // zero. Under checks, with answers that would differ if a check had changed anything, the tests
    // run every stage on data at each of these edges.
    unsafe { device.create_shader_module_trusted(descriptor, ShaderRuntimeChecks::unchecked()) }
}
