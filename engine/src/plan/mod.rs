//! What a job is asked to do: token rules, and the choice of device and shaders.
#![forbid(unsafe_code)]

mod device_choice;
mod shader_choice;
pub(crate) mod token_rule;

pub use device_choice::DeviceChoice;
pub use shader_choice::{ShaderVariant, Shaders};
pub use token_rule::{IntoTokenRule, Separator};
