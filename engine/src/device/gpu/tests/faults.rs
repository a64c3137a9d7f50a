//! Devices that fail during a job: the result must be that of the CPU.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{SHORT_TIMEOUT, software};
use crate::device::gpu::Gpu;
use crate::device::gpu::fault_injection::{FaultInjection, InjectedFault};
use crate::device::{Device, Fault, SharedDevice};
use crate::{Cancel, Counts, DeviceChoice, Engine, TokenRule, Tuning};

/// Small chunks, so that a short text has many, with drains between them.
const LIMITS: Tuning = Tuning {
    chunk_bytes: 1 << 10,
    device_chunk_bytes: 1 << 11,
    device_slots: 1 << 9,
    ..Tuning::DEFAULT
};

/// Creates an engine whose first device gets an injected fault. The next device works.
fn engine(choice: DeviceChoice, injected: &InjectedFault) -> Option<Engine> {
    let found = software()?;
    let injected = injected.clone();
    let first = std::sync::atomic::AtomicBool::new(true);
    let shared_device = SharedDevice::new(Box::new(move || {
        let mut device = Gpu::open(&found, found.offers)?;
        if injected.is(FaultInjection::Hang) {
            device.set_timeout(SHORT_TIMEOUT);
        }
        if first.swap(false, std::sync::atomic::Ordering::Relaxed) {
            device.inject(injected.clone())?;
        }
        Ok(Arc::new(device) as Arc<dyn Device>)
    }));
    let builder = Engine::builder().threads(1).tuning(LIMITS).device(choice);
    Some(builder.build().unwrap().with_shared_device(shared_device))
}

fn text() -> Vec<u8> {
    let mut text = String::new();
    for i in 0..1_000u32 {
        text.push_str(&format!(
            "to be or not word-{} a-key-of-many-bytes-{} ",
            i % 97,
            i % 13
        ));
    }
    text.into_bytes()
}

fn count(engine: &Engine, text: &[u8]) -> Counts {
    let job = engine
        .read_bytes(text.to_vec())
        .tokenize(TokenRule::Whitespace);
    job.count_by_key().collect().unwrap()
}

fn rows(counts: &Counts) -> Vec<(Vec<u8>, u64)> {
    counts
        .iter()
        .map(|(key, count)| (key.to_vec(), count))
        .collect()
}

/// Runs a job with a fault injected after `after` commands. Returns `None` if the job has fewer
/// commands.
fn count_with_fault(after: usize, fault_injection: FaultInjection, text: &[u8]) -> Option<Counts> {
    let injected = InjectedFault::after(after, fault_injection);
    let counts = count(&engine(DeviceChoice::Gpu, &injected)?, text);
    (injected.commands() > after).then_some(counts)
}

/// The number of commands to try.
const PLACES: usize = 60;

/// Injects the fault at every `step`-th command.
fn a_fault_at_every_nth_command_is_handled(step: usize, fault_injection: FaultInjection) {
    let text = text();
    let expected = rows(&count(
        &Engine::builder().threads(1).build().unwrap(),
        &text,
    ));
    let Some(whole) = engine(
        DeviceChoice::Gpu,
        &InjectedFault::after(usize::MAX, fault_injection),
    ) else {
        return;
    };
    let whole = count(&whole, &text);
    assert_eq!(rows(&whole), expected);
    assert!(whole.metrics().remarks.len() == 1 && whole.metrics().cpu_chunks == 0);
    let mut places = 0;
    while let Some(counts) = count_with_fault(places, fault_injection, &text) {
        assert_eq!(
            rows(&counts),
            expected,
            "{fault_injection:?} after {places} commands"
        );
        let metrics = counts.metrics();
        assert!(
            metrics.cpu_chunks > 0,
            "no chunk was counted again: {metrics}"
        );
        let remark = metrics.remarks.concat();
        assert!(remark.contains("again on the processor"), "{remark}");
        places += step;
        if places >= PLACES {
            return;
        }
    }
    assert!(places >= 50, "{places} commands");
}

#[test]
fn a_device_may_be_lost_at_every_command() {
    a_fault_at_every_nth_command_is_handled(1, FaultInjection::Destroyed);
}

#[test]
fn a_driver_may_panic_at_any_command() {
    a_fault_at_every_nth_command_is_handled(5, FaultInjection::Panic);
}

#[test]
fn a_device_may_refuse_something_at_any_command() {
    a_fault_at_every_nth_command_is_handled(7, FaultInjection::Refusal);
}

#[test]
fn a_device_may_run_out_of_memory_at_any_command() {
    a_fault_at_every_nth_command_is_handled(11, FaultInjection::OutOfMemory);
}

/// Every device fails, until no more are opened.
#[test]
fn a_device_that_always_fails_is_abandoned_with_a_remark() {
    let Some(found) = software() else { return };
    let shared_device = SharedDevice::new(Box::new(move || {
        let device = Gpu::open(&found, found.offers)?;
        device.inject(InjectedFault::after(0, FaultInjection::Refusal))?;
        Ok(Arc::new(device) as Arc<dyn Device>)
    }));
    let text = text();
    let alone = count(&Engine::builder().threads(1).build().unwrap(), &text);
    let builder = Engine::builder().threads(1).tuning(LIMITS);
    let engine = builder.device(DeviceChoice::Gpu).build().unwrap();
    let engine = engine.with_shared_device(shared_device);
    let mut remarks = String::new();
    // The delay grows with each failure: a new job for each attempt.
    while !remarks.contains("the device is not used again") {
        assert!(
            remarks.matches("again on the processor").count() < 3,
            "{remarks}"
        );
        let job = engine
            .read_bytes(text.clone())
            .tokenize(TokenRule::Whitespace);
        match job.count_by_key().collect() {
            Ok(counts) => {
                assert_eq!(rows(&counts), rows(&alone));
                remarks += &counts.metrics().remarks.concat();
            }
            // The delay is not over, and the engine requires a device.
            Err(error) => assert_eq!(error.kind(), crate::ErrorKind::Device, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(
        remarks.matches("tried again after a pause").count(),
        2,
        "{remarks}"
    );
}

#[test]
fn a_driver_that_hangs_times_out() {
    let text = text();
    let expected = rows(&count(
        &Engine::builder().threads(1).build().unwrap(),
        &text,
    ));
    // After the first commands, which compile the shaders.
    for after in [20, 33] {
        let began = Instant::now();
        let Some(counts) = count_with_fault(after, FaultInjection::Hang, &text) else {
            return;
        };
        assert_eq!(rows(&counts), expected);
        let metrics = counts.metrics();
        let remark = metrics.remarks.concat();
        assert!(remark.contains("did not answer in time"), "{remark}");
        assert!(metrics.cpu_chunks > 0, "{metrics}");
        assert!(began.elapsed() >= SHORT_TIMEOUT, "{after}");
    }
}

#[test]
fn cancelling_does_not_wait_for_a_device() {
    let injected = InjectedFault::after(20, FaultInjection::Hang);
    let Some(engine) = engine(DeviceChoice::Gpu, &injected) else {
        return;
    };
    let cancel = Cancel::default();
    let job = engine.read_bytes(text()).tokenize(TokenRule::Whitespace);
    let job = job.count_by_key().cancel(&cancel);
    let interrupt = std::thread::spawn(move || {
        while injected.commands() <= 20 {
            std::thread::sleep(Duration::from_millis(1));
        }
        cancel.cancel();
        Instant::now()
    });
    let error = job.collect().unwrap_err();
    let ended = Instant::now();
    assert_eq!(error.kind(), crate::ErrorKind::Cancelled);
    let took = ended.saturating_duration_since(interrupt.join().unwrap());
    assert!(took < SHORT_TIMEOUT, "{took:?}");
}

#[test]
fn zeros_are_detected() {
    a_fault_at_every_nth_command_is_handled(3, FaultInjection::Zeros);
}

/// A stream of equal lines. At its end a fault is injected.
struct Lines {
    line: &'static [u8],
    bytes: usize,
    read: usize,
    injected: InjectedFault,
}

impl Read for Lines {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let bytes = into.len().min(self.bytes - self.read);
        for (byte, at) in into[..bytes].iter_mut().zip(self.read..) {
            *byte = self.line[at % self.line.len()];
        }
        self.read += bytes;
        if self.read == self.bytes {
            // Wait until all earlier chunks have been sent.
            std::thread::sleep(Duration::from_millis(200));
            self.injected.trigger();
        }
        Ok(bytes)
    }
}

#[test]
fn the_last_of_many_chunks_may_be_lost() {
    let line = b"to be or not to be that is the question whether\n";
    let lines = (96usize << 20).div_ceil(line.len());
    let limits = Tuning {
        device_chunk_bytes: 1 << 20,
        ..Tuning::DEFAULT
    };
    let injected = InjectedFault::after(usize::MAX, FaultInjection::Destroyed);
    let Some(engine) = engine(DeviceChoice::Gpu, &injected) else {
        return;
    };
    let text = Lines {
        line,
        bytes: lines * line.len(),
        read: 0,
        injected,
    };
    // A quarter of the memory holds what may have to be counted again.
    let engine = engine.with_tuning(limits).with_memory(64 << 20);
    let job = engine.read(text).tokenize(TokenRule::Whitespace);
    let counts = job.count_by_key().collect().unwrap();
    let once = lines as u64;
    let expected = [
        ("be", 2 * once),
        ("is", once),
        ("not", once),
        ("or", once),
        ("question", once),
        ("that", once),
        ("the", once),
        ("to", 2 * once),
        ("whether", once),
    ];
    let expected = expected.map(|(key, count)| (key.as_bytes().to_vec(), count));
    assert_eq!(rows(&counts), expected);
    let metrics = counts.metrics();
    assert!(metrics.cpu_chunks >= 1, "{metrics}");
    assert!(metrics.gpu_chunks >= 64, "{metrics}");
    let remark = metrics.remarks.concat();
    assert!(remark.contains("again on the processor"), "{remark}");
}

#[test]
fn a_device_that_cannot_be_opened_is_an_error_before_anything_is_read() {
    let shared_device = SharedDevice::new(Box::new(|| {
        Err(Fault::Refused("there is no adapter".to_owned()))
    }));
    let builder = Engine::builder().threads(1).device(DeviceChoice::Gpu);
    let engine = builder.build().unwrap().with_shared_device(shared_device);
    struct Unread;
    impl Read for Unread {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            panic!("it was read")
        }
    }
    let job = engine.read(Unread).tokenize(TokenRule::Whitespace);
    let error = job.count_by_key().collect().unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Device);
    assert!(error.to_string().contains("there is no adapter"), "{error}");
}

#[test]
fn a_device_and_the_cpu_share_a_job() {
    let text = text().repeat(200);
    let injected = InjectedFault::after(usize::MAX, FaultInjection::Destroyed);
    let Some(engine) = engine(DeviceChoice::Hybrid, &injected) else {
        return;
    };
    let both = count(&engine, &text);
    let alone = count(&Engine::builder().threads(1).build().unwrap(), &text);
    assert_eq!(rows(&both), rows(&alone));
    assert!(both.metrics().gpu_chunks > 0, "{}", both.metrics());
}
