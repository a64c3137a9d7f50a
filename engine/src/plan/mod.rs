//! What a job is asked to do: token rules, and the choice of device and shaders.
#![forbid(unsafe_code)]

mod device_choice;
mod shader_choice;
pub(crate) mod token_rule;

pub use device_choice::{DeviceChoice, UnknownDevice};

pub use shader_choice::ShaderVariant;
pub use shader_choice::{Shaders, UnknownShaders};
pub use token_rule::Separator;
