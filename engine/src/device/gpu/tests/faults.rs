//! Devices that fail in the middle of a job: the answer is that of the processor.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{HURRY, software};
use crate::device::gpu::Gpu;
use crate::device::gpu::fault_injection::{FaultInjection, Injuries};
use crate::device::{Device, Fault, SharedDevice};
use crate::{Cancel, Counts, DeviceChoice, Engine, TokenRule, Tuning};

/// Chunks so small that a short text takes many, and drains between them.
const LIMITS: Tuning = Tuning {
    chunk_bytes: 1 << 10,
    device_chunk_bytes: 1 << 11,
    device_slots: 1 << 9,
    ..Tuning::DEFAULT
};

/// An engine whose device is opened whole, and then meets with an injury; the next one is whole.
fn engine(choice: DeviceChoice, injuries: &Injuries) -> Option<Engine> {
    let found = software()?;
    let injuries = injuries.clone();
    let first = std::sync::atomic::AtomicBool::new(true);
    let shared_device = SharedDevice::new(Box::new(move || {
        let mut device = Gpu::open(&found, found.offers)?;
        if injuries.is(FaultInjection::Hang) {
            device.hurry(HURRY);
        }
        if first.swap(false, std::sync::atomic::Ordering::Relaxed) {
            device.injure(injuries.clone())?;
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

/// How a job with an injury after so many commands ended; `None` if it met none.
fn injured(after: usize, fault_injection: FaultInjection, text: &[u8]) -> Option<Counts> {
    let injuries = Injuries::after(after, fault_injection);
    let counts = count(&engine(DeviceChoice::Gpu, &injuries)?, text);
    (injuries.commands() > after).then_some(counts)
}

/// Commands of the job that are tried.
const PLACES: usize = 60;

fn every_command_of_a_job_may_be_the_last(fault_injection: FaultInjection) {
    one_command_in(1, fault_injection);
}

/// Tries one command in so many.
fn one_command_in(step: usize, fault_injection: FaultInjection) {
    let text = text();
    let expected = rows(&count(
        &Engine::builder().threads(1).build().unwrap(),
        &text,
    ));
    let Some(whole) = engine(
        DeviceChoice::Gpu,
        &Injuries::after(usize::MAX, fault_injection),
    ) else {
        return;
    };
    let whole = count(&whole, &text);
    assert_eq!(rows(&whole), expected);
    assert!(whole.metrics().remarks.len() == 1 && whole.metrics().cpu_chunks == 0);
    let mut places = 0;
    while let Some(counts) = injured(places, fault_injection, &text) {
        assert_eq!(
            rows(&counts),
            expected,
            "{fault_injection:?} after {places} commands"
        );
        let metrics = counts.metrics();
        assert!(metrics.cpu_chunks > 0, "nothing was redone: {metrics}");
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
fn a_device_may_be_pulled_out_at_every_command() {
    every_command_of_a_job_may_be_the_last(FaultInjection::Destroyed);
}

#[test]
fn a_driver_may_panic_at_every_command() {
    every_command_of_a_job_may_be_the_last(FaultInjection::Panic);
}

#[test]
fn a_device_may_refuse_something_at_any_command() {
    one_command_in(7, FaultInjection::Refusal);
}

#[test]
fn a_device_may_run_out_of_memory_at_any_command() {
    one_command_in(11, FaultInjection::OutOfMemory);
}

/// One device after the other fails, until none is asked for any more.
#[test]
fn a_device_that_fails_again_and_again_is_given_up_and_that_is_said() {
    let Some(found) = software() else { return };
    let shared_device = SharedDevice::new(Box::new(move || {
        let device = Gpu::open(&found, found.offers)?;
        device.injure(Injuries::after(0, FaultInjection::Refusal))?;
        Ok(Arc::new(device) as Arc<dyn Device>)
    }));
    let text = text();
    let alone = count(&Engine::builder().threads(1).build().unwrap(), &text);
    let builder = Engine::builder().threads(1).tuning(LIMITS);
    let engine = builder.device(DeviceChoice::Gpu).build().unwrap();
    let engine = engine.with_shared_device(shared_device);
    let mut remarks = String::new();
    // It rests longer after each loss: a job of its own for each.
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
            // It rests, and a device was asked for.
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
fn a_driver_that_hangs_is_not_waited_for() {
    let text = text();
    let expected = rows(&count(
        &Engine::builder().threads(1).build().unwrap(),
        &text,
    ));
    // Behind the first commands, which make the shaders ready.
    for after in [20, 33] {
        let began = Instant::now();
        let Some(counts) = injured(after, FaultInjection::Hang, &text) else {
            return;
        };
        assert_eq!(rows(&counts), expected);
        let metrics = counts.metrics();
        let remark = metrics.remarks.concat();
        assert!(remark.contains("did not answer in time"), "{remark}");
        assert!(metrics.cpu_chunks > 0, "{metrics}");
        assert!(began.elapsed() >= HURRY, "{after}");
    }
}

#[test]
fn an_interrupt_is_not_held_up_by_a_device() {
    let injuries = Injuries::after(20, FaultInjection::Hang);
    let Some(engine) = engine(DeviceChoice::Gpu, &injuries) else {
        return;
    };
    let cancel = Cancel::default();
    let job = engine.read_bytes(text()).tokenize(TokenRule::Whitespace);
    let job = job.count_by_key().cancel(&cancel);
    let interrupt = std::thread::spawn(move || {
        while injuries.commands() <= 20 {
            std::thread::sleep(Duration::from_millis(1));
        }
        cancel.cancel();
        Instant::now()
    });
    let error = job.collect().unwrap_err();
    let ended = Instant::now();
    assert_eq!(error.kind(), crate::ErrorKind::Cancelled);
    let took = ended.saturating_duration_since(interrupt.join().unwrap());
    assert!(took < HURRY, "{took:?}");
}

#[test]
fn zeros_are_never_believed() {
    every_command_of_a_job_may_be_the_last(FaultInjection::Zeros);
}

/// Lines of which nothing is kept; at their end the device is hurt.
struct Lines {
    line: &'static [u8],
    bytes: usize,
    read: usize,
    injuries: Injuries,
}

impl Read for Lines {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let bytes = into.len().min(self.bytes - self.read);
        for (byte, at) in into[..bytes].iter_mut().zip(self.read..) {
            *byte = self.line[at % self.line.len()];
        }
        self.read += bytes;
        if self.read == self.bytes {
            // What was sent before is on its way by now.
            std::thread::sleep(Duration::from_millis(200));
            self.injuries.strike();
        }
        Ok(bytes)
    }
}

#[test]
fn the_last_chunk_of_a_gibibyte_may_be_lost() {
    let line = b"to be or not to be that is the question whether\n";
    let lines = (1usize << 30).div_ceil(line.len());
    let limits = Tuning {
        device_chunk_bytes: 4 << 20,
        ..Tuning::DEFAULT
    };
    let injuries = Injuries::after(usize::MAX, FaultInjection::Destroyed);
    let Some(engine) = engine(DeviceChoice::Gpu, &injuries) else {
        return;
    };
    let text = Lines {
        line,
        bytes: lines * line.len(),
        read: 0,
        injuries,
    };
    let engine = engine.with_tuning(limits);
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
    assert!(metrics.gpu_chunks >= 128, "{metrics}");
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
fn a_device_and_the_processor_share_a_job() {
    let text = text().repeat(200);
    let injuries = Injuries::after(usize::MAX, FaultInjection::Destroyed);
    let Some(engine) = engine(DeviceChoice::Hybrid, &injuries) else {
        return;
    };
    let both = count(&engine, &text);
    let alone = count(&Engine::builder().threads(1).build().unwrap(), &text);
    assert_eq!(rows(&both), rows(&alone));
    assert!(both.metrics().gpu_chunks > 0, "{}", both.metrics());
}
