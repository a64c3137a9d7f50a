//! Opens the device of a choice.
#![forbid(unsafe_code)]

use std::sync::Arc;

use super::gpu::{self, Found, Gpu};
use super::shared_device::Opener;
use super::{Device, Fault, sound};
use crate::probe::ShaderVariant;
use crate::{DeviceChoice, Shaders};

/// What opens the device of a choice, with such shaders.
pub(crate) fn opener(choice: &DeviceChoice, shaders: Shaders) -> Opener {
    let wanted = match choice {
        DeviceChoice::Named(name) => Wanted::Named(name.to_lowercase()),
        DeviceChoice::Auto => Wanted::Hardware,
        _ => Wanted::Best,
    };
    Box::new(move || open(&wanted, shaders))
}

/// Whether this machine may have a GPU; where it shows none, no driver has to be asked.
pub(crate) fn may_have_hardware() -> bool {
    #[cfg(target_os = "linux")]
    return shows_gpu(std::path::Path::new("/dev"));
    #[cfg(not(target_os = "linux"))]
    true
}

/// Render nodes, and those of NVIDIA, of AMD's compute driver, and of Windows beneath.
#[cfg(target_os = "linux")]
fn shows_gpu(dev: &std::path::Path) -> bool {
    let has = |name: &str| dev.join(name).exists();
    let renders = std::fs::read_dir(dev.join("dri")).is_ok_and(|mut nodes| {
        nodes.any(|node| {
            node.is_ok_and(|it| it.file_name().as_encoded_bytes().starts_with(b"render"))
        })
    });
    renders || ["nvidiactl", "nvidia0", "kfd", "dxg"].into_iter().any(has)
}

/// Which adapters will do.
enum Wanted {
    /// Any; hardware stands before software.
    Best,
    /// None that is software.
    Hardware,
    /// Those with this in their name, in lower case.
    Named(String),
}

/// Opens the first adapter that will do and passes its self-test.
fn open(wanted: &Wanted, shaders: Shaders) -> Result<Arc<dyn Device>, Fault> {
    let found = gpu::adapters()?;
    let mut wrong = Vec::new();
    for adapter in candidates(&found, wanted) {
        match sound_with(adapter, shaders) {
            Ok(device) => return Ok(device),
            Err(fault) => wrong.push(format!("{}: {fault}", adapter.name)),
        }
    }
    Err(Fault::Missing(match (wrong.is_empty(), wanted) {
        (false, _) => wrong.join("; "),
        (true, Wanted::Named(name)) => format!("no adapter's name has `{name}` in it"),
        (true, Wanted::Hardware) => "there is no adapter of hardware".to_owned(),
        (true, Wanted::Best) => "there is no adapter".to_owned(),
    }))
}

/// Opens an adapter with the first of such shaders that pass its self-test.
pub(super) fn sound_with(found: &Found, shaders: Shaders) -> Result<Arc<dyn Device>, Fault> {
    first_sound(shaders.to_try(found.offers), |variant, passed_over| {
        let device = Gpu::open(found, variant)?;
        sound(device.instead_of(passed_over))
    })
}

/// The base comes last, and what it gets wrong is why an adapter is refused. What others got wrong
/// before one that is sound is not hidden: `open` is told.
pub(super) fn first_sound<T>(
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

fn candidates<'a>(found: &'a [Found], wanted: &'a Wanted) -> impl Iterator<Item = &'a Found> {
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
    fn a_machine_without_nodes_has_no_gpu() {
        let dev = tempfile::tempdir().unwrap();
        assert!(!shows_gpu(dev.path()));
        std::fs::create_dir(dev.path().join("dri")).unwrap();
        std::fs::write(dev.path().join("dri/card0"), "").unwrap();
        assert!(!shows_gpu(dev.path()));
        std::fs::write(dev.path().join("dri/renderD128"), "").unwrap();
        assert!(shows_gpu(dev.path()));
        let other = tempfile::tempdir().unwrap();
        std::fs::write(other.path().join("nvidia0"), "").unwrap();
        assert!(shows_gpu(other.path()));
    }

    #[test]
    fn shaders_that_fail_leave_the_base_and_the_base_is_the_last() {
        let mut best = ShaderVariant::BASE;
        best.subgroups = true;
        let sound = |right: &[ShaderVariant]| {
            first_sound(Shaders::Checked.to_try(best), |variant, passed_over| {
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
    fn adapters_are_told_apart_by_name_and_kind() {
        let mut found = ["NVIDIA H200", "llvmpipe"].map(Found::named);
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
