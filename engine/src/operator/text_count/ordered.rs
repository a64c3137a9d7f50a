//! Prepares an ordered drain: everything is reduced, and dealt to ranges or seen by the top.

use keymill_kernels::KeyCounts;

use super::batches::{Batches, Source, batches_of};
use super::drain::BatchLimits;
use super::drain_input::DrainInput;
use super::partitions::{PartitionState, Pieces};
use super::reduce::{OperatorContext, Reducer};
use crate::Result;
use crate::operator::text_count::order::{
    By, DrainTotals, Range, RangePartitioner, Splitters, Top, range_count,
};
use crate::runtime::parallel;
use crate::spill::SpillSpace;

/// KeyCounts of the sample for each range.
const SAMPLED: usize = 8;
/// Bytes of a key that the order may be cut by.
const GIANT: usize = 1 << 10;

/// One worker of an ordered drain.
struct Worker<'a> {
    reducer: Reducer,
    partitioner: RangePartitioner<'a>,
}

impl<'a> Worker<'a> {
    fn new(context: &'a OperatorContext, by: By, splitters: &'a Splitters) -> Self {
        Self {
            reducer: Reducer::new(context),
            partitioner: RangePartitioner::new(by, splitters, &context.resources, &context.space),
        }
    }
}

/// Prepares the groups of `items` to leave.
///
/// # Errors
///
/// Those of reducing and of spilling.
pub(super) fn drain_items(
    context: OperatorContext,
    items: Vec<DrainInput>,
    by: By,
    limits: BatchLimits,
) -> Result<Batches> {
    let (items, splitters) = split_order(&context, items, by)?;
    let workers = parallel::work(
        context.resources.threads,
        items,
        || Worker::new(&context, by, &splitters),
        |Worker {
             reducer,
             partitioner,
         },
         item| {
            item.reduce(reducer, |groups| partitioner.deal(groups))?;
            Ok(())
        },
    )?;
    let partitioners = workers
        .into_iter()
        .map(|worker| worker.partitioner)
        .collect();
    Ok(dealt(context.clone(), by, partitioners, limits))
}

/// Prepares the changed groups of `parts` to leave, and answers with what is kept too.
///
/// # Errors
///
/// Those of reducing and of spilling.
pub(super) fn drain_changes(
    context: OperatorContext,
    parts: Vec<PartitionState>,
    by: By,
    limits: BatchLimits,
) -> Result<(Batches, Vec<PartitionState>)> {
    let (news, mut kept, splitters) = split_changes(&context, parts, by)?;
    let workers = parallel::work(
        context.resources.threads,
        news,
        || (Worker::new(&context, by, &splitters), Vec::new()),
        |(
            Worker {
                reducer,
                partitioner,
            },
            kept,
        ),
         news| {
            match news {
                News::Changed(groups) => partitioner.deal(&groups)?,
                News::Partition(number, part) => {
                    let part = reducer.reduce_changed(part, |groups| partitioner.deal(groups))?;
                    kept.push((number, part));
                }
            }
            Ok(())
        },
    )?;
    let mut partitioners = Vec::new();
    for (worker, more) in workers {
        partitioners.push(worker.partitioner);
        kept.extend(more);
    }
    kept.sort_unstable_by_key(|(number, _)| *number);
    let kept = kept.into_iter().map(|(_, part)| part).collect();
    Ok((dealt(context.clone(), by, partitioners, limits), kept))
}

/// Prepares the first `most` groups of `items` to leave.
///
/// # Errors
///
/// Those of reducing.
pub(super) fn drain_top(
    context: OperatorContext,
    items: Vec<DrainInput>,
    by: By,
    most: usize,
    limits: BatchLimits,
) -> Result<Batches> {
    let workers = parallel::work(
        context.resources.threads,
        items,
        || (Reducer::new(&context), Top::new(by, most)),
        |(reducer, top), item| {
            item.reduce(reducer, |groups| top.show(groups))?;
            Ok(())
        },
    )?;
    let mut all = Top::new(by, most);
    for (_, top) in &workers {
        all.append(top)?;
    }
    let (sorted, seen) = all.finish();
    let ready = batches_of(&limits, |batcher| sorted.write(batcher))?;
    Ok(Batches::new(context, Source::Nothing, limits)
        .with_ready(ready)
        .with_seen(seen))
}

/// Prepares what was dealt to leave, range by range.
fn dealt(
    context: OperatorContext,
    by: By,
    partitioners: Vec<RangePartitioner<'_>>,
    limits: BatchLimits,
) -> Batches {
    let mut ranges: Vec<Range> = Vec::new();
    let (mut memory, mut seen) = (Vec::new(), DrainTotals::default());
    for partitioner in partitioners {
        let (dealt, reservation) = partitioner.finish(&mut ranges);
        seen.add(dealt);
        memory.push(reservation);
    }
    ranges.retain(|range| !range.is_empty());
    Batches::new(context, Source::Ranges(by, ranges.into()), limits)
        .with_memory(memory)
        .with_seen(seen)
}

/// Chooses where to cut the order, from the first partitions, which are a fair sample of all.
fn split_order(
    context: &OperatorContext,
    mut items: Vec<DrainInput>,
    by: By,
) -> Result<(Vec<DrainInput>, Splitters)> {
    let groups = items.iter().map(DrainInput::groups).sum();
    let bytes = items.iter().map(DrainInput::bytes).sum();
    let ranges = range_count(groups, bytes, &context.resources);
    if ranges == 1 {
        return Ok((items, Splitters::none(by)));
    }
    items.reverse();
    let sample = take_sample(context, &mut items, ranges * SAMPLED)?;
    let splitters = Splitters::choose(by, &sample.keys, ranges)?;
    items.extend(sample.items);
    Ok((items, splitters))
}

/// Where changed groups come from.
enum News {
    /// A partition, of this number.
    Partition(usize, PartitionState),
    /// KeyCounts that were reduced for the sample.
    Changed(KeyCounts),
}

/// What [`split_changes`] leaves: the work, the partitions that are done, and where to cut.
type SplitChanges = (Vec<News>, Vec<(usize, PartitionState)>, Splitters);

/// Chooses where to cut the order of changed groups, from the first partitions.
fn split_changes(
    context: &OperatorContext,
    parts: Vec<PartitionState>,
    by: By,
) -> Result<SplitChanges> {
    let groups = parts.iter().map(|part| part.fresh.groups()).sum();
    let whole = parts.iter().map(|part| part.fresh.loaded_bytes()).sum();
    let ranges = range_count(groups, whole, &context.resources);
    let mut parts = parts.into_iter().enumerate();
    let (mut sample, mut kept, mut sampled, mut bytes) = (Vec::new(), Vec::new(), 0, 0);
    let most_bytes = context.resources.memory.limit() / 16;
    let mut reducer = Reducer::new(context);
    while ranges > 1 && sampled < ranges * SAMPLED && bytes < most_bytes {
        let Some((number, part)) = parts.next() else {
            break;
        };
        let part = reducer.reduce_changed(part, |changed| {
            sampled += changed.len();
            bytes += changed.bytes();
            sample.push(changed.clone());
            Ok(())
        })?;
        kept.push((number, part));
    }
    let splitters = match ranges {
        1 => Splitters::none(by),
        _ => Splitters::choose(by, &sample, ranges)?,
    };
    let sample = sample.into_iter().map(News::Changed);
    let parts = parts.map(|(number, part)| News::Partition(number, part));
    Ok((sample.chain(parts).collect(), kept, splitters))
}

/// KeyCounts by which the order is cut, and the items that they are of, reduced.
struct Sample {
    keys: Vec<KeyCounts>,
    items: Vec<DrainInput>,
}

/// Reduces items from the back until they have so many groups.
fn take_sample(
    context: &OperatorContext,
    items: &mut Vec<DrainInput>,
    wanted: usize,
) -> Result<Sample> {
    let budget = &context.resources.memory;
    let mut reducer = Reducer::new(context);
    let (mut keys, mut reduced, mut groups) = (Vec::new(), Vec::new(), 0);
    while groups < wanted {
        let Some(item) = items.pop() else { break };
        item.reduce(&mut reducer, |part| {
            groups += part.len();
            keys.push(shortened(part));
            let groups = std::mem::take(part);
            let item = match budget.is_tight(budget.limit() / 4) {
                true => DrainInput::part(spilled(groups, &context.space)?, budget),
                false => DrainInput::reduced(groups, budget),
            };
            reduced.push(item);
            Ok(())
        })?;
    }
    let items = reduced;
    Ok(Sample { keys, items })
}

fn spilled(groups: KeyCounts, space: &SpillSpace) -> Result<Pieces> {
    let mut pieces = Pieces::default();
    pieces.push(groups);
    pieces.spill(space)?;
    Ok(pieces)
}

/// The same groups, of giant keys the beginning alone.
fn shortened(groups: &KeyCounts) -> KeyCounts {
    let mut short = KeyCounts {
        short: groups.short.clone(),
        mid: groups.mid.clone(),
        packed_short: groups.packed_short.clone(),
        empty: groups.empty,
        ..KeyCounts::default()
    };
    for group in &groups.long {
        let key = groups.long_key(group);
        short.push(&key[..key.len().min(GIANT)], group.count);
    }
    for key in groups.packed_long.iter() {
        short.push(&key[..key.len().min(GIANT)], 1);
    }
    short
}
