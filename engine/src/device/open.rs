//! Opens the device that the user chose.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::gpu::{self, FoundAdapter, Gpu};
use super::shared_device::Opener;
use super::{Device, Fault, self_tested};
use crate::plan::ShaderVariant;
use crate::{DeviceChoice, Shaders};

/// Returns a function that opens the chosen device with the given shaders.
pub(crate) fn opener(choice: &DeviceChoice, shaders: Shaders) -> Opener {
    let wanted = match choice {
        DeviceChoice::Named(name) => Wanted::Named(name.to_lowercase()),
        DeviceChoice::Auto => Wanted::Hardware,
        _ => Wanted::Best,
    };
    Box::new(move || open(&wanted, shaders))
}

/// Tells whether this machine may have a GPU. If not, no driver needs to be loaded.
pub(crate) fn may_have_gpu() -> bool {
    // A stream asks for every epoch.
    #[cfg(target_os = "linux")]
    static HAS_NODE: std::sync::LazyLock<bool> =
        std::sync::LazyLock::new(|| has_gpu_node(std::path::Path::new("/dev")));
    #[cfg(target_os = "linux")]
    return *HAS_NODE;
    #[cfg(not(target_os = "linux"))]
    true
}

/// Checks for render nodes, and for the device files of NVIDIA, of AMD's compute driver and of WSL.
#[cfg(target_os = "linux")]
fn has_gpu_node(dev: &std::path::Path) -> bool {
    let has = |name: &str| dev.join(name).exists();
    let renders = std::fs::read_dir(dev.join("dri")).is_ok_and(|mut nodes| {
        nodes.any(|node| {
            node.is_ok_and(|it| it.file_name().as_encoded_bytes().starts_with(b"render"))
        })
    });
    renders || ["nvidiactl", "nvidia0", "kfd", "dxg"].into_iter().any(has)
}

/// Which adapters match the choice.
enum Wanted {
    /// Any adapter, hardware first.
    Best,
    /// Hardware adapters only.
    Hardware,
    /// Adapters whose name in lower case contains this text.
    Named(String),
}

/// Opens the first matching adapter that passes its self-test.
fn open(wanted: &Wanted, shaders: Shaders) -> Result<Arc<dyn Device>, Fault> {
    let found = gpu::adapters()?;
    let mut wrong = Vec::new();
    for adapter in candidates(&found, wanted) {
        match open_self_tested(adapter, shaders) {
            Ok(device) => return Ok(device),
            Err(fault) => wrong.push(format!("{}: {fault}", adapter.name)),
        }
    }
    Err(Fault::Missing(match (wrong.is_empty(), wanted) {
        (false, _) => wrong.join("; "),
        (true, Wanted::Named(name)) => format!("no adapter's name contains `{name}`"),
        (true, Wanted::Hardware) => "there is no hardware adapter".to_owned(),
        (true, Wanted::Best) => "there is no adapter".to_owned(),
    }))
}

/// Opens an adapter with the first shader variant that passes its self-test.
pub(super) fn open_self_tested(
    found: &FoundAdapter,
    shaders: Shaders,
) -> Result<Arc<dyn Device>, Fault> {
    open_first_that_passes(shaders.to_try(found.offers), |variant, passed_over| {
        let device = Gpu::open(found, variant)?;
        self_tested(device.with_passed_over(passed_over))
    })
}

/// Opens the first variant that works. The base is the last one, and its fault is returned if all
/// fail. `open` receives the failure of the variant before it.
pub(super) fn open_first_that_passes<T>(
    variants: Vec<ShaderVariant>,
    open: impl Fn(ShaderVariant, Option<String>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut refused = Fault::Missing("no shaders were tried".to_owned());
    let mut passed_over = None;
    for variant in variants {
        match open(variant, passed_over.take()) {
            Ok(device) => return Ok(device),
            Err(fault) => {
                passed_over = Some(format!("{variant} failed the self-test: {fault}"));
                refused = fault;
            }
        }
    }
    Err(refused)
}

fn candidates<'a>(
    found: &'a [FoundAdapter],
    wanted: &'a Wanted,
) -> impl Iterator<Item = &'a FoundAdapter> {
    found.iter().filter(move |adapter| match wanted {
        Wanted::Best => true,
        Wanted::Hardware => !adapter.is_software,
        Wanted::Named(name) => adapter.shown_name().to_lowercase().contains(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_machine_without_device_files_has_no_gpu() {
        let dev = tempfile::tempdir().unwrap();
        assert!(!has_gpu_node(dev.path()));
        std::fs::create_dir(dev.path().join("dri")).unwrap();
        std::fs::write(dev.path().join("dri/card0"), "").unwrap();
        assert!(!has_gpu_node(dev.path()));
        std::fs::write(dev.path().join("dri/renderD128"), "").unwrap();
        assert!(has_gpu_node(dev.path()));
        let other = tempfile::tempdir().unwrap();
        std::fs::write(other.path().join("nvidia0"), "").unwrap();
        assert!(has_gpu_node(other.path()));
    }

    #[test]
    fn the_base_is_used_if_other_shaders_fail() {
        let mut best = ShaderVariant::BASE;
        best.subgroups = true;
        let sound = |right: &[ShaderVariant]| {
            open_first_that_passes(Shaders::Checked.to_try(best), |variant, passed_over| {
                let wrong = || Fault::NotConserved(variant.to_string());
                right
                    .contains(&variant)
                    .then_some((variant, passed_over))
                    .ok_or_else(wrong)
            })
        };
        assert_eq!(sound(&[ShaderVariant::BASE, best]), Ok((best, None)));
        let (used, passed_over) = sound(&[ShaderVariant::BASE]).unwrap();
        let said = passed_over.unwrap();
        assert_eq!(used, ShaderVariant::BASE);
        assert!(
            said.starts_with("subgroups failed the self-test: "),
            "{said}"
        );
        assert_eq!(sound(&[]), Err(Fault::NotConserved("base".to_owned())));
    }

    #[test]
    fn adapters_are_chosen_by_name_and_kind() {
        let mut found = ["NVIDIA H200", "llvmpipe"].map(FoundAdapter::named);
        found[1].is_software = true;
        let names = |wanted: &Wanted| -> Vec<String> {
            let candidates = candidates(&found, wanted);
            candidates.map(|adapter| adapter.name.clone()).collect()
        };
        assert_eq!(names(&Wanted::Best), ["NVIDIA H200", "llvmpipe"]);
        assert_eq!(names(&Wanted::Hardware), ["NVIDIA H200"]);
        assert_eq!(names(&Wanted::Named("pipe".to_owned())), ["llvmpipe"]);
        let fault = open(&Wanted::Named("no such".to_owned()), Shaders::Base)
            .err()
            .unwrap();
        assert!(fault.to_string().contains("`no such`"), "{fault}");
    }
}
