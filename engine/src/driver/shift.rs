//! The work of all workers on one board, and what they leave behind.
#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};

use super::board::Board;
use super::crew::Crew;
use super::elsewhere::Elsewhere;
use super::tally::Tally;
use super::worker::Worker;
use crate::Result;
use crate::operator::CountOperator;
use crate::parallel::caught;

/// What the workers leave behind.
pub(super) type Counted = (Vec<CountOperator>, Tally);

/// What one worker leaves behind, with its number.
type Part = (usize, CountOperator, Tally);

/// The same work for several workers, who begin when and where they like.
pub(super) struct Shift<'s, 'b, W> {
    crew: &'s Crew<'s>,
    board: &'s Board<'b>,
    /// How many workers there may be.
    takers: usize,
    work: W,
    parts: Mutex<Vec<Part>>,
}

impl<'s, 'b, W: Fn(&mut Worker<'_>) -> Result<()> + Sync> Shift<'s, 'b, W> {
    pub(super) fn new(crew: &'s Crew<'s>, board: &'s Board<'b>, takers: usize, work: W) -> Self {
        Self {
            crew,
            board,
            takers,
            work,
            parts: Mutex::new(Vec::with_capacity(takers)),
        }
    }

    /// Is one worker until nothing is left; an error or a panic ends the job for all.
    pub(super) fn join(&self, index: usize, elsewhere: Option<Box<dyn Elsewhere + '_>>) {
        // After a panic nothing of the worker is looked at again.
        match caught(|| self.count(index, elsewhere)) {
            Ok(part) => self
                .parts
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(part),
            Err(error) => self.board.fail(error),
        }
    }

    fn count(
        &self,
        index: usize,
        elsewhere: Option<Box<dyn Elsewhere + '_>>,
    ) -> Result<Option<Part>> {
        let operator = CountOperator::new(self.crew.rule, self.crew.resources)?;
        let mut worker = Worker::new(self.crew, operator, self.takers, elsewhere);
        (self.work)(&mut worker)?;
        if self.board.has_failed() {
            // What a device has is of no use any more.
            return Ok(None);
        }
        let (operator, tally) = worker.finish()?;
        Ok(Some((index, operator, tally)))
    }

    /// What all have counted, in the order of their numbers, and why there.
    pub(super) fn end(self, decision: Option<String>) -> Counted {
        let parts = self.parts.into_inner();
        let mut parts = parts.unwrap_or_else(PoisonError::into_inner);
        parts.sort_by_key(|(index, ..)| *index);
        let mut tally = Tally {
            decisions: decision.into_iter().collect(),
            ..Tally::default()
        };
        let operators = parts.into_iter().map(|(_, operator, part)| {
            tally += part;
            operator
        });
        (operators.collect(), tally)
    }
}
