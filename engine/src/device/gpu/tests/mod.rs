//! WGSL against the oracle, on every adapter there is; CI asks for one at least.

mod auto;
mod count;
mod faults;
mod frame;
mod hash_partition;
mod reduce_by_key;
mod tokenize;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use keymill_shaders::Stage;

use super::{Found, Gpu, adapters};
use crate::device::recording::{Extent, Recording};
use crate::device::{Device, Fault, self_test};

/// A device on each adapter that passes its self-test. If none does, that is a skip, unless
/// `KEYMILL_REQUIRE_GPU=1`; `scripts/test` says on which adapters these tests ran.
pub(super) fn devices() -> &'static [Arc<dyn Device>] {
    static DEVICES: OnceLock<Vec<Arc<dyn Device>>> = OnceLock::new();
    DEVICES.get_or_init(|| {
        let found = adapters().unwrap();
        let devices: Vec<Arc<dyn Device>> = found.iter().filter_map(sound).collect();
        let required = is_required();
        assert!(
            !required || !devices.is_empty(),
            "KEYMILL_REQUIRE_GPU=1, and no adapter is sound: {found:?}"
        );
        devices
    })
}

/// How long a driver hangs that hangs, and how long a hurried one is waited for.
pub(super) const HANG: Duration = Duration::from_secs(6);
const HURRY: Duration = Duration::from_secs(3);

/// A software adapter, which can be pulled out as often as one likes.
pub(super) fn software() -> Option<Found> {
    devices();
    let software = adapters().unwrap().into_iter().find(|it| it.is_software);
    assert!(
        software.is_some() || !is_required(),
        "KEYMILL_REQUIRE_GPU=1, and these tests need software Vulkan"
    );
    software
}

fn is_required() -> bool {
    std::env::var_os("KEYMILL_REQUIRE_GPU").is_some_and(|it| it == "1")
}

fn sound(found: &Found) -> Option<Arc<dyn Device>> {
    match Gpu::open(found).and_then(crate::device::sound) {
        Ok(device) => Some(device),
        Err(fault) => {
            eprintln!("{} is left out: {fault}", found.name);
            None
        }
    }
}

#[test]
fn what_a_device_refuses_is_a_fault_and_the_next_run_is_right() {
    for device in devices() {
        let mut wrong = Recording::default();
        let params = wrong.upload("params", vec![0; 16]);
        // Parameters are no storage: the device refuses to bind them so.
        let buffers = [params, params, params];
        wrong.run(Stage::SelfTest, "self_test", &buffers, 1);
        wrong.download(params, Extent::Bytes(16));
        assert!(matches!(device.run(&wrong), Err(Fault::Refused(_))));
        assert_eq!(self_test::run(device), Ok(()));
    }
}

#[test]
fn software_is_not_taken_for_hardware() {
    for found in adapters().unwrap() {
        let is_llvmpipe = found.name.contains("llvmpipe") || found.name.contains("SwiftShader");
        assert!(!is_llvmpipe || found.is_software, "{found:?}");
    }
}
