//! Starts the workers of one job.
#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};

use super::Progress;
use super::job::{InputPart, Job, JobOptions};
use super::placement::{BATCHES_UNKNOWN, GpuAutojoin, Placement};
use super::throughput::Throughput;
use super::work_queue::WorkQueue;
use super::worker::Worker;
use super::worker_pool::{WorkerOutputs, WorkerPool};
use crate::read::chunk::Boundary;
use crate::read::{RecordBatches, Source, Split};
use crate::runtime::Pool;
use crate::{DeviceChoice, Resources, Result};

/// Number of chunks that a further thread is worth. Starting it for less takes longer than counting.
const CHUNKS_WORTH_A_THREAD: u64 = 4;

/// Maximum number of splits that are checked for compression.
const MOST_LOOKS: usize = 64;

/// Everything that the workers of a job share.
pub(super) struct JobContext<'a, J> {
    pub(super) job: &'a J,
    pub(super) resources: &'a Resources,
    pub(super) boundary: Boundary,
    pub(super) progress: &'a Progress,
    /// How fast the job's threads count.
    pub(super) throughput: Throughput,
    placement: &'a Placement<'a>,
    /// What comes before this input, if it is a part of a larger one.
    part: InputPart,
}

/// What is known about an input before it is read.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(feature = "gpu"),
    expect(dead_code, reason = "only used for a device that may join")
)]
pub(super) struct KnownInput<'a> {
    /// Number of bytes to read, if it is known.
    pub(super) total: Option<u64>,
    /// Returns whether the input is compressed. It checks the first bytes of splits.
    pub(super) expands: &'a dyn Fn() -> bool,
}

impl<'a, J: Job> JobContext<'a, J> {
    pub(super) fn new(
        job: &'a J,
        resources: &'a Resources,
        options: &'a JobOptions,
        placement: &'a Placement<'a>,
    ) -> Self {
        Self {
            resources,
            job,
            boundary: Boundary::new(resources.level, job.rule(), job.lowercase()),
            progress: &options.progress,
            part: options.part,
            throughput: Throughput::default(),
            placement,
        }
    }

    /// Returns the position of the first row of a batch, by the number of the batch. Positions have the order
    /// of the input, with gaps.
    pub(super) fn position_of(&self, batch: u64) -> i128 {
        let InputPart { epoch, input } = self.part;
        // 48 bits for the rows of a batch, 32 for batches, 15 for the inputs of an epoch, 31 for epochs.
        let number = i128::from(epoch) << 47 | i128::from(input) << 32 | i128::from(batch);
        number << 48
    }

    /// Aggregates everything that a source has now.
    pub(super) fn run_source(&self, source: &dyn Source, pool: &Pool) -> Result<WorkerOutputs<J>> {
        let splits = source.splits()?;
        let total = splits.iter().map(Split::size).sum::<Option<u64>>();
        self.progress.expect(total);
        let workers = self.workers(total);
        let checked = &splits[..splits.len().min(MOST_LOOKS)];
        let expands = || checked.iter().any(|split| source.expands(split));
        let autojoin = self.autojoin(total, &expands);
        let takers =
            self.placement.takers(workers) + autojoin.as_ref().map_or(0, GpuAutojoin::workers);
        let work_queue = WorkQueue::new(splits.len(), takers);
        let counted = self.run(pool, (workers, takers), autojoin, &work_queue, |worker| {
            worker.push_splits(source, &splits, &work_queue)
        });
        work_queue.finish().map(|()| counted)
    }

    /// Aggregates all rows of Arrow batches.
    pub(super) fn run_batches(
        &self,
        mut batches: RecordBatches,
        pool: &Pool,
    ) -> Result<WorkerOutputs<J>> {
        self.job.text_key().map(|key| batches.group_by(key));
        let total = batches.total();
        self.progress.expect(total);
        let workers = self.workers(total);
        // The size of the batches is unknown, so it cannot be predicted whether a device is faster.
        let autojoin = None;
        let takers = self.placement.takers(workers);
        let work_queue = WorkQueue::new(0, takers);
        let batches = Mutex::new(batches);
        let mut counted = self.run(pool, (workers, takers), autojoin, &work_queue, |worker| {
            worker.push_batches(&batches, &work_queue)
        });
        if *self.placement.choice() == DeviceChoice::Auto {
            counted.1.decide(format!("cpu: {BATCHES_UNKNOWN}"));
        }
        let batches = batches.into_inner();
        work_queue.finish()?;
        counted.1.rejected = batches
            .unwrap_or_else(PoisonError::into_inner)
            .finish(u64::MAX)?;
        Ok(counted)
    }

    fn workers(&self, bytes: Option<u64>) -> usize {
        let worth = CHUNKS_WORTH_A_THREAD * self.resources.tuning.chunk_bytes as u64;
        match bytes {
            Some(bytes) => {
                let most = bytes.div_ceil(worth).max(1);
                usize::try_from(most).map_or(self.resources.threads, |most| {
                    most.min(self.resources.threads)
                })
            }
            None => self.resources.threads,
        }
    }

    /// Returns a device that may join while the processor counts.
    fn autojoin(
        &self,
        total: Option<u64>,
        expands: &dyn Fn() -> bool,
    ) -> Option<GpuAutojoin<'_, J>> {
        let input = KnownInput { total, expands };
        self.placement
            .autojoin(self.job, self.progress, &self.throughput, input)
    }

    /// Runs the same work on several workers and collects their operators.
    ///
    /// With a device, one more worker counts its texts on the device. If a device may join later, that
    /// worker starts later or not at all.
    fn run<'b>(
        &self,
        pool: &Pool,
        (workers, takers): (usize, usize),
        autojoin: Option<GpuAutojoin<'_, J>>,
        work_queue: &WorkQueue<'b>,
        work: impl Fn(&mut Worker<'_, J>) -> Result<()> + Sync,
    ) -> WorkerOutputs<J> {
        let whole = WorkerPool::new(self, work_queue, takers, work);
        let worker_pool = &whole;
        let on_cpu = |workers| pool.run_workers(workers, |index| worker_pool.join(index, None));
        let beside = self.placement.cpu_workers(workers);
        let mut decision = self.placement.decision();
        match (
            self.placement.chunk_sink(self.job, self.resources),
            autojoin,
        ) {
            (None, None) => on_cpu(workers),
            (Some(sink), _) if beside == 0 => worker_pool.join(0, Some(sink)),
            (Some(sink), _) => {
                let on_device = move || worker_pool.join(beside, Some(sink));
                run_in_parallel(on_device, || on_cpu(beside));
            }
            (None, Some(autojoin)) => {
                let join = || worker_pool.join(workers, autojoin.chunk_sink(self.resources));
                decision = Some(autojoin.run(join, || on_cpu(workers)));
            }
        }
        whole.end(decision)
    }
}

/// Runs `one` on a new thread in parallel to `other`, or before it if no thread can be started.
fn run_in_parallel(one: impl FnOnce() + Send, other: impl FnOnce()) {
    let one = Mutex::new(Some(one));
    let take = || one.lock().unwrap_or_else(PoisonError::into_inner).take();
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("keymill-beside".to_owned());
        let spawned = thread.spawn_scoped(scope, || {
            if let Some(one) = take() {
                one();
            }
        });
        if spawned.is_err()
            && let Some(one) = take()
        {
            one();
        }
        other();
    });
}
