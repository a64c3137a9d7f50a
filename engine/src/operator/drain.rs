//! What a drain is asked for, and the batches it answers with.

use std::collections::VecDeque;

use arrow_array::RecordBatch;
use keymill_kernels::Groups;

use super::partitions::{Part, Pieces};
use super::reduce::{Reducer, Setting};
use crate::columns::{ColumnBuilder, append_groups};
use crate::order::{By, Dealer, Range, Splitters, Top, range_count};
use crate::resources::Reservation;
use crate::{Result, parallel};

/// Which groups leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drain {
    /// The keys that came since the last drain, with their running totals; all totals are kept.
    Changed,
    /// Every key, with its running total; the operator is empty afterwards.
    All,
}

/// In which order they leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// In any order, which may differ from run to run: partition by partition, without a sort.
    None,
    /// By the bytes of the key.
    Key,
    /// By the count, the largest first, and by the bytes of the key where counts are equal.
    #[default]
    Count,
}

/// How large a batch may be, and how many groups leave in all.
///
/// # Examples
///
/// ```
/// use keymill::BatchLimits;
///
/// let limits = BatchLimits::default().top(10);
/// assert_eq!((limits.rows, limits.top), (16_384, Some(10)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Rows of a batch at most.
    pub rows: usize,
    /// Bytes of a batch from which on it takes no further row; one key alone may be larger.
    pub bytes: usize,
    /// The first groups of the order that leave; the others are dropped. `None` is all of them.
    pub top: Option<usize>,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            rows: 16 << 10,
            bytes: 1 << 20,
            top: None,
        }
    }
}

impl BatchLimits {
    /// Lets only the first `groups` groups of the order leave.
    #[must_use]
    pub fn top(self, groups: usize) -> Self {
        Self {
            top: Some(groups),
            ..self
        }
    }

    fn is_full(&self, columns: &ColumnBuilder) -> bool {
        columns.rows() >= self.rows || columns.bytes() >= self.bytes
    }

    /// Whether the first groups are few enough to be picked out instead of sorted.
    fn picks(&self, groups: usize, memory: usize) -> Option<usize> {
        self.top
            .filter(|&top| top < groups / 4 && top <= memory / 512)
    }
}

/// Groups on their way to batches, and the memory they hold.
pub(super) struct Item {
    pub(super) content: Content,
    pub(super) memory: Reservation,
}

/// What an item is.
pub(super) enum Content {
    /// A partition that may hold a key more than once.
    Part(Pieces),
    /// Distinct groups.
    Reduced(Groups),
}

impl Item {
    fn groups(&self) -> usize {
        match &self.content {
            Content::Part(pieces) => pieces.groups(),
            Content::Reduced(groups) => groups.len(),
        }
    }

    fn bytes(&self) -> usize {
        match &self.content {
            Content::Part(pieces) => pieces.loaded_bytes(),
            Content::Reduced(groups) => groups.bytes(),
        }
    }

    /// Gives `visit` the distinct groups.
    fn reduce(
        self,
        reducer: &mut Reducer<'_>,
        mut visit: impl FnMut(Groups) -> Result<()>,
    ) -> Result<()> {
        let Self { content, memory } = self;
        let result = match content {
            Content::Part(pieces) => reducer.reduce(pieces, visit),
            Content::Reduced(groups) => visit(groups),
        };
        drop(memory);
        result
    }
}

/// The answer of a drain: batches of `key` and `count`, each made when it is asked for.
///
/// Dropping it early drops the groups that have not left. It uses the threads of the rayon pool
/// in which `next` is called, and the caller's thread alone outside of one.
pub struct Batches {
    setting: Setting,
    source: Source,
    limits: BatchLimits,
    ready: VecDeque<RecordBatch>,
    left: usize,
    groups: u64,
    failed: bool,
    _memory: Vec<Reservation>,
}

enum Source {
    Items(VecDeque<Item>),
    Ranges(By, VecDeque<Range>),
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches")
            .field("limits", &self.limits)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

impl Batches {
    fn new(setting: Setting, source: Source, limits: BatchLimits) -> Self {
        Self {
            setting,
            source,
            limits,
            ready: VecDeque::new(),
            left: limits.top.unwrap_or(usize::MAX),
            groups: 0,
            failed: false,
            _memory: Vec::new(),
        }
    }

    /// How many distinct keys were found: all of them from the start when they leave in order, and
    /// once the last batch has left when they do not.
    #[must_use]
    pub fn groups(&self) -> u64 {
        self.groups
    }

    /// Prepares the groups of `items` to leave.
    pub(super) fn of_items(
        setting: Setting,
        items: Vec<Item>,
        order: Order,
        limits: BatchLimits,
    ) -> Result<Self> {
        let by = match order {
            Order::None => {
                return Ok(Self::new(setting, Source::Items(items.into()), limits));
            }
            Order::Key => By::Key,
            Order::Count => By::Count,
        };
        let groups = items.iter().map(Item::groups).sum();
        if let Some(most) = limits.picks(groups, setting.resources.memory.limit()) {
            return Self::of_top(setting, items, by, most, limits);
        }
        let (items, splitters) = split_order(&setting, items, by)?;
        let dealers = parallel::work(
            setting.resources.threads,
            items,
            || Worker::new(&setting, by, &splitters),
            |worker, item| worker.deal(item),
        )?;
        let dealt = dealers.into_iter().map(|worker| worker.dealer).collect();
        Ok(Self::of_dealt(setting.clone(), by, dealt, limits))
    }

    /// Prepares the changed groups of `parts`, and answers with what is kept too.
    pub(super) fn of_changes(
        setting: Setting,
        parts: Vec<Part>,
        order: Order,
        limits: BatchLimits,
    ) -> Result<(Self, Vec<Part>)> {
        let by = match order {
            Order::Count => By::Count,
            Order::Key | Order::None => By::Key,
        };
        let splitters = Splitters::choose(by, &[], 1)?;
        let numbered: Vec<(usize, Part)> = parts.into_iter().enumerate().collect();
        let workers = parallel::work(
            setting.resources.threads,
            numbered,
            || (Worker::new(&setting, by, &splitters), Vec::new()),
            |(worker, kept), (number, part)| {
                kept.push((number, worker.deal_changed(part)?));
                Ok(())
            },
        )?;
        let (dealers, kept): (Vec<_>, Vec<_>) = workers
            .into_iter()
            .map(|(worker, kept)| (worker.dealer, kept))
            .unzip();
        let mut kept: Vec<(usize, Part)> = kept.into_iter().flatten().collect();
        kept.sort_unstable_by_key(|(number, _)| *number);
        let kept = kept.into_iter().map(|(_, part)| part).collect();
        Ok((Self::of_dealt(setting.clone(), by, dealers, limits), kept))
    }

    fn of_dealt(setting: Setting, by: By, dealers: Vec<Dealer<'_>>, limits: BatchLimits) -> Self {
        let mut ranges: Vec<Range> = Vec::new();
        let mut memory = Vec::new();
        let mut groups = 0;
        for dealer in dealers {
            let (dealt, number, reservation) = dealer.finish();
            groups += number;
            memory.push(reservation);
            ranges.resize_with(dealt.len(), Range::default);
            for (range, dealt) in ranges.iter_mut().zip(dealt) {
                range.append(dealt);
            }
        }
        ranges.retain(|range| !range.is_empty());
        Self {
            groups,
            _memory: memory,
            ..Self::new(setting, Source::Ranges(by, ranges.into()), limits)
        }
    }

    fn of_top(
        setting: Setting,
        items: Vec<Item>,
        by: By,
        most: usize,
        limits: BatchLimits,
    ) -> Result<Self> {
        let workers = parallel::work(
            setting.resources.threads,
            items,
            || (Reducer::new(&setting), Top::new(by, most)),
            |(reducer, top), item| item.reduce(reducer, |groups| top.show(&groups)),
        )?;
        let mut all = Top::new(by, most);
        for (_, top) in &workers {
            all.append(top)?;
        }
        drop(workers);
        let groups = all.groups();
        let mut ready = VecDeque::new();
        let sorted = all.finish();
        write_batches(
            &limits,
            |columns, full| sorted.write(columns, full),
            |batch| ready.push_back(batch),
        )?;
        Ok(Self {
            ready,
            groups,
            ..Self::new(setting, Source::Items(VecDeque::new()), limits)
        })
    }

    /// Makes the next few batches; none are left when it leaves `ready` empty.
    fn refill(&mut self) -> Result<()> {
        let threads = parallel::available(self.setting.resources.threads);
        while self.ready.is_empty() {
            self.setting.resources.cancel.check()?;
            let batches = match &mut self.source {
                Source::Items(items) if !items.is_empty() => {
                    let wave = items.drain(..items.len().min(threads)).collect();
                    reduce_wave(&self.setting, &self.limits, wave)?
                }
                Source::Ranges(by, ranges) if !ranges.is_empty() => {
                    let wave = ranges.drain(..ranges.len().min(threads * 2)).collect();
                    (0, sort_wave(&self.setting, *by, &self.limits, wave)?)
                }
                _ => return Ok(()),
            };
            self.groups += batches.0;
            self.ready.extend(batches.1);
        }
        Ok(())
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.left == 0 {
            return None;
        }
        if let Err(error) = self.refill() {
            self.failed = true;
            return Some(Err(error));
        }
        let mut batch = self.ready.pop_front()?;
        if batch.num_rows() > self.left {
            batch = batch.slice(0, self.left);
        }
        self.left -= batch.num_rows();
        Some(Ok(batch))
    }
}

/// One worker of an ordered drain.
struct Worker<'a> {
    reducer: Reducer<'a>,
    dealer: Dealer<'a>,
}

impl<'a> Worker<'a> {
    fn new(setting: &'a Setting, by: By, splitters: &'a Splitters) -> Self {
        Self {
            reducer: Reducer::new(setting),
            dealer: Dealer::new(by, splitters, &setting.resources, &setting.space),
        }
    }

    fn deal(&mut self, item: Item) -> Result<()> {
        let Self { reducer, dealer } = self;
        item.reduce(reducer, |groups| dealer.deal(&groups))
    }

    fn deal_changed(&mut self, part: Part) -> Result<Part> {
        let Self { reducer, dealer } = self;
        reducer.reduce_changed(part, |groups| dealer.deal(groups))
    }
}

/// Chooses where to cut the order, from the first partitions, which are a fair sample of all.
fn split_order(setting: &Setting, mut items: Vec<Item>, by: By) -> Result<(Vec<Item>, Splitters)> {
    let groups = items.iter().map(Item::groups).sum();
    let bytes = items.iter().map(Item::bytes).sum();
    let ranges = range_count(groups, bytes, &setting.resources);
    let mut sample = Vec::new();
    if ranges > 1 {
        items.reverse();
        sample = take_sample(setting, &mut items, ranges * 8)?;
    }
    let splitters = Splitters::choose(by, &sample, ranges)?;
    let sampled = sample.into_iter().map(|groups| {
        let mut memory = setting.resources.memory.reservation();
        memory.set(groups.bytes());
        let content = Content::Reduced(groups);
        Item { content, memory }
    });
    items.extend(sampled);
    Ok((items, splitters))
}

/// Reduces items from the back until they have so many groups.
fn take_sample(setting: &Setting, items: &mut Vec<Item>, wanted: usize) -> Result<Vec<Groups>> {
    let mut reducer = Reducer::new(setting);
    let (mut sample, mut groups) = (Vec::new(), 0);
    while groups < wanted {
        let Some(item) = items.pop() else { break };
        item.reduce(&mut reducer, |reduced| {
            groups += reduced.len();
            sample.push(reduced);
            Ok(())
        })?;
    }
    Ok(sample)
}

/// Reduces a few partitions side by side; answers with the number of groups, too.
fn reduce_wave(
    setting: &Setting,
    limits: &BatchLimits,
    wave: Vec<Item>,
) -> Result<(u64, Vec<RecordBatch>)> {
    let made = parallel::map(setting.resources.threads, wave, |item| {
        let (mut number, mut batches) = (0, Vec::new());
        let mut write = |groups: &Groups| {
            number += groups.len() as u64;
            write_batches(
                limits,
                |columns, full| append_groups(groups, columns, full),
                |batch| batches.push(batch),
            )
        };
        item.reduce(&mut Reducer::new(setting), |groups| write(&groups))?;
        Ok((number, batches))
    })?;
    let number = made.iter().map(|(number, _)| number).sum();
    Ok((
        number,
        made.into_iter().flat_map(|(_, batches)| batches).collect(),
    ))
}

/// Sorts a few ranges side by side.
fn sort_wave(
    setting: &Setting,
    by: By,
    limits: &BatchLimits,
    wave: Vec<Range>,
) -> Result<Vec<RecordBatch>> {
    let made = parallel::map(setting.resources.threads, wave, |range| {
        setting.resources.cancel.check()?;
        let sorted = range.load(by)?;
        let mut batches = Vec::new();
        write_batches(
            limits,
            |columns, full| sorted.write(columns, full),
            |batch| batches.push(batch),
        )?;
        Ok(batches)
    })?;
    Ok(made.into_iter().flatten().collect())
}

type Full<'a> = &'a mut dyn FnMut(&mut ColumnBuilder) -> Result<()>;

/// Cuts what `write` writes into batches.
fn write_batches(
    limits: &BatchLimits,
    write: impl FnOnce(&mut ColumnBuilder, Full<'_>) -> Result<()>,
    mut keep: impl FnMut(RecordBatch),
) -> Result<()> {
    let mut columns = ColumnBuilder::with_capacity(limits.rows.min(1024));
    write(&mut columns, &mut |columns| {
        if limits.is_full(columns) {
            keep(columns.finish()?);
        }
        Ok(())
    })?;
    if columns.rows() > 0 {
        keep(columns.finish()?);
    }
    Ok(())
}
