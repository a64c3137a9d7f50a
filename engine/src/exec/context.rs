//! The workers of one job.
#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};

use super::placement::{GpuAutojoin, Placement};
use super::throughput::Throughput;
use super::work_queue::WorkQueue;
use super::worker::Worker;
use super::worker_pool::{Counted, WorkerPool};
use crate::Progress;
use crate::read::chunk::Boundary;
use crate::read::{Columns, Source, Split};
use crate::runtime::Pool;
use crate::{DeviceChoice, Resources, Result, TokenRule};

/// Input below so many chunks is one thread's work: starting others takes longer.
const CHUNKS_WORTH_A_THREAD: u64 = 4;

/// Splits that are looked at to tell whether the input is compressed.
const MOST_LOOKS: usize = 64;

/// Everything that the workers of a job share.
pub(super) struct JobContext<'a> {
    pub(super) resources: &'a Resources,
    pub(super) boundary: Boundary,
    pub(super) progress: &'a Progress,
    pub(super) rule: &'a TokenRule,
    pub(super) lowercase: bool,
    /// How fast its threads are.
    pub(super) throughput: Throughput,
    placement: &'a Placement<'a>,
}

/// What is known of an input before it is read.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(feature = "gpu"),
    expect(dead_code, reason = "only a device that may join asks")
)]
pub(super) struct KnownInput<'a> {
    /// Bytes there are to read, where that is known.
    pub(super) total: Option<u64>,
    /// Whether they become more when they are decompressed; it takes a look at each split.
    pub(super) expands: &'a dyn Fn() -> bool,
}

impl<'a> JobContext<'a> {
    pub(super) fn new(
        resources: &'a Resources,
        rule: &'a TokenRule,
        lowercase: bool,
        progress: &'a Progress,
        placement: &'a Placement<'a>,
    ) -> Self {
        Self {
            resources,
            boundary: Boundary::new(resources.level, rule, lowercase),
            progress,
            rule,
            lowercase,
            throughput: Throughput::default(),
            placement,
        }
    }

    /// Counts all that a source has now.
    pub(super) fn count_source(&self, source: &dyn Source, pool: &Pool) -> Result<Counted> {
        let splits = source.splits()?;
        let total = splits.iter().map(Split::size).sum::<Option<u64>>();
        self.progress.expect(total);
        let workers = self.workers(total);
        // Of many files the first tell enough.
        let looked_at = &splits[..splits.len().min(MOST_LOOKS)];
        let expands = || looked_at.iter().any(|split| source.expands(split));
        let autojoin = self.autojoin(total, &expands);
        let takers =
            self.placement.takers(workers) + autojoin.as_ref().map_or(0, GpuAutojoin::workers);
        let work_queue = WorkQueue::new(splits.len(), takers);
        let counted = self.run(pool, (workers, takers), autojoin, &work_queue, |worker| {
            worker.count_splits(source, &splits, &work_queue)
        });
        work_queue.finish().map(|()| counted)
    }

    /// Counts all rows of Arrow arrays.
    pub(super) fn count_columns(&self, columns: Columns, pool: &Pool) -> Result<Counted> {
        self.progress.expect(None);
        let workers = self.resources.threads;
        // Columns have no size that would tell whether a device pays.
        let autojoin = None;
        let takers = self.placement.takers(workers);
        let work_queue = WorkQueue::new(0, takers);
        let columns = Mutex::new(columns);
        let mut counted = self.run(pool, (workers, takers), autojoin, &work_queue, |worker| {
            worker.count_arrays(&columns, &work_queue)
        });
        if *self.placement.choice() == DeviceChoice::Auto {
            let why = "cpu: no_gpu knows how long columns are, so no device joins by itself";
            counted.1.decide(why.to_owned());
        }
        work_queue.finish().map(|()| counted)
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

    /// A device that may join while the processor counts.
    fn autojoin(&self, total: Option<u64>, expands: &dyn Fn() -> bool) -> Option<GpuAutojoin<'_>> {
        let input = KnownInput { total, expands };
        self.placement
            .autojoin(self.rule, self.progress, &self.throughput, input)
    }

    /// Runs the same work on several workers, and gathers what they counted.
    ///
    /// Where there is a device, one more worker has its texts counted there; where one may join, that
    /// worker begins later, or not at all.
    fn run<'b>(
        &self,
        pool: &Pool,
        (workers, takers): (usize, usize),
        autojoin: Option<GpuAutojoin<'_>>,
        work_queue: &WorkQueue<'b>,
        work: impl Fn(&mut Worker<'_>) -> Result<()> + Sync,
    ) -> Counted {
        let whole = WorkerPool::new(self, work_queue, takers, work);
        let worker_pool = &whole;
        let on_cpu = |workers| pool.side_by_side(workers, |index| worker_pool.join(index, None));
        let beside = self.placement.cpu_workers(workers);
        let mut decision = self.placement.decision();
        match (
            self.placement.chunk_sink(self.rule, self.resources),
            autojoin,
        ) {
            (None, None) => on_cpu(workers),
            (Some(there), _) if beside == 0 => worker_pool.join(0, Some(there)),
            (Some(there), _) => {
                let on_device = move || worker_pool.join(beside, Some(there));
                beside_each_other(on_device, || on_cpu(beside));
            }
            (None, Some(autojoin)) => {
                let join =
                    || worker_pool.join(workers, autojoin.chunk_sink(self.rule, self.resources));
                decision = Some(autojoin.run(join, || on_cpu(workers)));
            }
        }
        whole.end(decision)
    }
}

/// Does one thing on a thread of its own while another one is done, or before it where there is no
/// thread to be had.
fn beside_each_other(one: impl FnOnce() + Send, other: impl FnOnce()) {
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
