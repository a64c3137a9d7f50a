//! Compiled shaders of a device. Each is compiled once.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use keymill_shaders::{Binding, Permutation, Shader, Stage};
use wgpu::{
    BindGroupLayout, BindGroupLayoutDescriptor, BindGroupLayoutEntry, BindingType,
    BufferBindingType, ComputePipeline, ComputePipelineDescriptor, Device,
    PipelineLayoutDescriptor, ShaderModule, ShaderStages,
};

use super::module::module;
use crate::plan::ShaderVariant;

/// The compiled shaders of a device.
pub(super) struct Pipelines {
    variant: ShaderVariant,
    modules: HashMap<Stage, Module>,
    entries: HashMap<(Stage, &'static str), ComputePipeline>,
}

struct Module {
    shader: ShaderModule,
    layout: BindGroupLayout,
}

impl Pipelines {
    /// Creates an empty cache for shaders of one variant.
    pub(super) fn new(variant: ShaderVariant) -> Self {
        Self {
            variant,
            modules: HashMap::new(),
            entries: HashMap::new(),
        }
    }

    /// Returns the pipeline of a stage's entry point and the layout of its bindings.
    pub(super) fn get(
        &mut self,
        device: &Device,
        stage: Stage,
        entry: &'static str,
    ) -> (&ComputePipeline, &BindGroupLayout) {
        let module = self
            .modules
            .entry(stage)
            .or_insert_with(|| Module::new(device, stage, self.variant));
        let pipeline = self
            .entries
            .entry((stage, entry))
            .or_insert_with(|| module.pipeline(device, entry));
        (pipeline, &module.layout)
    }
}

impl Module {
    fn new(device: &Device, stage: Stage, variant: ShaderVariant) -> Self {
        let shader = Shader::compose_for(stage, permutation_of(variant));
        let shader = module(device, &shader, variant.is_unchecked);
        let entries: Vec<_> = (0..)
            .zip(stage.bindings())
            .map(|(binding, how)| BindGroupLayoutEntry {
                binding,
                visibility: ShaderStages::COMPUTE,
                ty: BindingType::Buffer {
                    ty: buffer_type(*how),
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let layout = device.create_bind_group_layout(&BindGroupLayoutDescriptor {
            label: Some(stage.name()),
            entries: &entries,
        });
        Self { shader, layout }
    }

    fn pipeline(&self, device: &Device, entry: &str) -> ComputePipeline {
        let layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
            label: Some(entry),
            bind_group_layouts: &[Some(&self.layout)],
            immediate_size: 0,
        });
        device.create_compute_pipeline(&ComputePipelineDescriptor {
            label: Some(entry),
            layout: Some(&layout),
            module: &self.shader,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                // Some drivers use a single lane for this. The shaders clear the memory that they
                // read with all lanes.
                zero_initialize_workgroup_memory: false,
                ..wgpu::PipelineCompilationOptions::default()
            },
            cache: None,
        })
    }
}

/// Returns the shader permutation of a variant.
pub(super) fn permutation_of(variant: ShaderVariant) -> Permutation {
    Permutation {
        subgroups: variant.subgroups,
        wide_atomics: variant.wide_atomics,
    }
}

fn buffer_type(how: Binding) -> BufferBindingType {
    match how {
        Binding::Uniform => BufferBindingType::Uniform,
        Binding::Read => BufferBindingType::Storage { read_only: true },
        Binding::Write => BufferBindingType::Storage { read_only: false },
    }
}
