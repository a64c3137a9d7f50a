//! Compiles a shader, with the checks that the compiler adds or without them.
#![allow(
    unsafe_code,
    reason = "the caller of wgpu is responsible for shaders that run unchecked"
)]

use keymill_shaders::Shader;
use wgpu::{Device, ShaderModule, ShaderModuleDescriptor, ShaderRuntimeChecks, ShaderSource};

/// Creates the module of a shader.
pub(super) fn module(device: &Device, shader: &Shader, is_unchecked: bool) -> ShaderModule {
    let descriptor = ShaderModuleDescriptor {
        label: Some(shader.stage().name()),
        source: ShaderSource::Wgsl(shader.wgsl().into()),
    };
    if !is_unchecked {
        return device.create_shader_module(descriptor);
    }
    // SAFETY: `Shader` consists only of files of this repository. They guard every index by the
    // length of the array, or by a size that the host gives to the buffer. Every loop has a bound
    // that is known when it starts. No divisor is zero. The tests run every stage on data at each
    // of these edges, with checks enabled; a check that changed a value would change the result.
    unsafe { device.create_shader_module_trusted(descriptor, ShaderRuntimeChecks::unchecked()) }
}
