//! Which adapter jobs run on.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::gpu::{self, Found, Gpu};
use super::seat::Opener;
use super::{Device, Fault, self_test};
use crate::DeviceChoice;

/// What opens the device of a choice.
pub(crate) fn opener(choice: &DeviceChoice) -> Opener {
    let name = match choice {
        DeviceChoice::Named(name) => Some(name.clone()),
        _ => None,
    };
    Box::new(move || open(name.as_deref()))
}

/// Opens the first adapter, hardware before software, that has a name and passes its self-test.
fn open(name: Option<&str>) -> Result<Arc<dyn Device>, Fault> {
    let found = gpu::adapters()?;
    let mut wrong = Vec::new();
    for adapter in candidates(&found, name) {
        match Gpu::open(adapter).and_then(sound) {
            Ok(device) => return Ok(device),
            Err(fault) => wrong.push(format!("{}: {fault}", adapter.name)),
        }
    }
    Err(Fault::Refused(match (wrong.is_empty(), name) {
        (false, _) => wrong.join("; "),
        (true, Some(name)) => format!("no adapter's name has `{name}` in it"),
        (true, None) => "there is no adapter".to_owned(),
    }))
}

fn sound(device: Gpu) -> Result<Arc<dyn Device>, Fault> {
    let device: Arc<dyn Device> = Arc::new(device);
    self_test::run(&device)?;
    Ok(device)
}

fn candidates<'a>(found: &'a [Found], name: Option<&str>) -> impl Iterator<Item = &'a Found> {
    let name = name.map(str::to_lowercase);
    found.iter().filter(move |adapter| match &name {
        Some(name) => adapter.name.to_lowercase().contains(name),
        None => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_is_found_by_a_part_of_its_name() {
        let found = ["NVIDIA H200", "llvmpipe"].map(Found::named);
        let names = |name| -> Vec<&str> {
            let candidates = candidates(&found, name);
            candidates.map(|adapter| &adapter.name[..]).collect()
        };
        assert_eq!(names(None), ["NVIDIA H200", "llvmpipe"]);
        assert_eq!(names(Some("h200")), ["NVIDIA H200"]);
        assert!(names(Some("radeon")).is_empty());
        let fault = open(Some("no such adapter")).err().unwrap();
        assert!(fault.to_string().contains("`no such adapter`"), "{fault}");
    }
}
