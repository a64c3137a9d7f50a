//! The workers of one job.
#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};

use super::board::Board;
use super::elsewhere::Elsewhere;
use super::place::Place;
use super::pool::Pool;
use super::tally::Tally;
use super::worker::Worker;
use crate::chunk::Boundary;
use crate::job::Progress;
use crate::operator::CountOperator;
use crate::parallel::caught;
use crate::source::{Columns, Source, Split};
use crate::{Resources, Result, TokenRule};

/// Input below so many chunks is one thread's work: starting others takes longer.
const CHUNKS_WORTH_A_THREAD: u64 = 4;

/// Everything that the workers of a job share.
pub(super) struct Crew<'a> {
    pub(super) resources: &'a Resources,
    pub(super) boundary: Boundary,
    pub(super) progress: &'a Progress,
    rule: &'a TokenRule,
    pub(super) lowercase: bool,
    place: &'a Place<'a>,
}

/// What the workers leave behind.
type Counted = (Vec<CountOperator>, Tally);

impl<'a> Crew<'a> {
    pub(super) fn new(
        resources: &'a Resources,
        rule: &'a TokenRule,
        lowercase: bool,
        progress: &'a Progress,
        place: &'a Place<'a>,
    ) -> Self {
        Self {
            resources,
            boundary: Boundary::new(resources.level, rule, lowercase),
            progress,
            rule,
            lowercase,
            place,
        }
    }

    /// Counts all that a source has now.
    pub(super) fn count_source(&self, source: &dyn Source, pool: &Pool) -> Result<Counted> {
        let splits = source.splits()?;
        let total = splits.iter().map(Split::size).sum::<Option<u64>>();
        self.progress.expect(total);
        let workers = self.workers(total);
        let board = Board::new(splits.len(), self.place.takers(workers));
        self.run(pool, workers, &board, |worker| {
            worker.count_splits(source, &splits, &board)
        })
        .and_then(|counted| board.finish().map(|()| counted))
    }

    /// Counts all rows of Arrow arrays.
    pub(super) fn count_columns(&self, columns: Columns, pool: &Pool) -> Result<Counted> {
        self.progress.expect(None);
        let workers = self.resources.threads;
        let board = Board::new(0, self.place.takers(workers));
        let columns = Mutex::new(columns);
        self.run(pool, workers, &board, |worker| {
            worker.count_arrays(&columns, &board)
        })
        .and_then(|counted| board.finish().map(|()| counted))
    }

    fn workers(&self, bytes: Option<u64>) -> usize {
        let worth = CHUNKS_WORTH_A_THREAD * self.resources.limits.chunk_bytes as u64;
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

    /// Runs the same work on several workers, and gathers what they counted.
    ///
    /// Where there is a device, one more worker has its texts counted there.
    fn run<'b>(
        &self,
        pool: &Pool,
        workers: usize,
        board: &Board<'b>,
        work: impl Fn(&mut Worker<'_>) -> Result<()> + Sync,
    ) -> Result<Counted> {
        let takers = self.place.takers(workers);
        let gathered = Mutex::new(Vec::with_capacity(takers));
        let run_one = |index: usize, elsewhere: Option<Box<dyn Elsewhere + '_>>| {
            let one = || -> Result<(usize, CountOperator, Tally)> {
                let operator = CountOperator::new(self.rule, self.resources)?;
                let mut worker = Worker::new(self, operator, takers, elsewhere);
                work(&mut worker)?;
                let (operator, tally) = worker.finish()?;
                Ok((index, operator, tally))
            };
            // After a panic nothing of the worker is looked at again.
            match caught(one) {
                Ok(counted) => gathered
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(counted),
                Err(error) => board.fail(error),
            }
        };
        let elsewhere = || self.place.elsewhere(self.rule, self.resources);
        match (elsewhere(), self.place.cpu_workers(workers)) {
            (None, _) => pool.broadcast(workers, |index| run_one(index, None))?,
            (there, 0) => run_one(0, there),
            (Some(_), beside) => std::thread::scope(|scope| {
                scope.spawn(|| run_one(beside, elsewhere()));
                pool.broadcast(beside, |index| run_one(index, None))
            })?,
        }
        let mut gathered = gathered
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        gathered.sort_by_key(|(index, ..)| *index);
        let mut tally = Tally::default();
        let operators = gathered
            .into_iter()
            .map(|(_, operator, part)| {
                tally += part;
                operator
            })
            .collect();
        Ok((operators, tally))
    }
}
