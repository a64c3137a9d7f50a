//! What a job is: token rules, the choice of device and shaders, and what is known of adapters.
#![forbid(unsafe_code)]

mod adapter_info;
mod device_choice;
mod shader_choice;
pub(crate) mod token_rule;

pub use adapter_info::AdapterInfo;
pub use device_choice::DeviceChoice;
pub use shader_choice::{ShaderVariant, Shaders};
pub use token_rule::{IntoTokenRule, Separator};
