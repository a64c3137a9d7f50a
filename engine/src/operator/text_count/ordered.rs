//! Prepares an ordered drain: reduces all groups, and partitions them to ranges or selects the top.

use keymill_kernels::KeyCounts;

use super::batches::{CountBatches, Source, batches_of};
use super::drain_input::DrainInput;
use super::partitions::PartitionGroups;
use super::reduce::{OperatorContext, Reducer};
use crate::BatchLimits;
use crate::Result;
use crate::operator::text_count::order::{
    DrainTotals, Range, RangePartitioner, SortBy, Splitters, Top, range_count,
};
use crate::runtime::parallel;
use crate::spill::SpillSpace;

/// Number of groups of the sample per range.
const SAMPLED: usize = 8;
/// Maximum bytes of a key of the sample.
const MAX_SAMPLE_KEY: usize = 1 << 10;

/// One worker of an ordered drain.
struct Worker<'a> {
    reducer: Reducer,
    partitioner: RangePartitioner<'a>,
}

impl<'a> Worker<'a> {
    fn new(context: &'a OperatorContext, by: SortBy, splitters: &'a Splitters) -> Self {
        Self {
            reducer: Reducer::new(context),
            partitioner: RangePartitioner::new(by, splitters, &context.resources, &context.space),
        }
    }
}

/// Prepares an ordered drain of the groups of `items`.
///
/// # Errors
///
/// Those of reducing and of spilling.
pub(super) fn drain_items(
    context: OperatorContext,
    items: Vec<DrainInput>,
    by: SortBy,
    limits: BatchLimits,
) -> Result<CountBatches> {
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
            item.reduce(reducer, |groups| partitioner.partition(groups))?;
            Ok(())
        },
    )?;
    let partitioners = workers
        .into_iter()
        .map(|worker| worker.partitioner)
        .collect();
    Ok(collect_ranges(context.clone(), by, partitioners, limits))
}

/// Prepares a drain of the first `most` groups of `items`.
///
/// # Errors
///
/// Those of reducing.
pub(super) fn drain_top(
    context: OperatorContext,
    items: Vec<DrainInput>,
    by: SortBy,
    most: usize,
    limits: BatchLimits,
) -> Result<CountBatches> {
    let workers = parallel::work(
        context.resources.threads,
        items,
        || (Reducer::new(&context), Top::new(by, most)),
        |(reducer, top), item| {
            item.reduce(reducer, |groups| top.add(groups))?;
            Ok(())
        },
    )?;
    let mut all = Top::new(by, most);
    for (_, top) in &workers {
        all.append(top)?;
    }
    let (sorted, seen) = all.finish();
    let ready = batches_of(&limits, |batcher| sorted.write(batcher))?;
    Ok(CountBatches::new(context, Source::Nothing, limits)
        .with_ready(ready)
        .with_seen(seen))
}

/// Collects the ranges of all workers, which are drained one after the other.
fn collect_ranges(
    context: OperatorContext,
    by: SortBy,
    partitioners: Vec<RangePartitioner<'_>>,
    limits: BatchLimits,
) -> CountBatches {
    let mut ranges: Vec<Range> = Vec::new();
    let (mut memory, mut seen) = (Vec::new(), DrainTotals::default());
    for partitioner in partitioners {
        let (totals, reservation) = partitioner.finish(&mut ranges);
        seen.add(totals);
        memory.push(reservation);
    }
    ranges.retain(|range| !range.is_empty());
    CountBatches::new(context, Source::Ranges(by, ranges.into()), limits)
        .with_memory(memory)
        .with_seen(seen)
}

/// Chooses the splitters of the order, from the first partitions, which are a random sample of all
/// keys.
fn split_order(
    context: &OperatorContext,
    mut items: Vec<DrainInput>,
    by: SortBy,
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

/// The groups of a sample, and their items in reduced form.
struct Sample {
    keys: Vec<KeyCounts>,
    items: Vec<DrainInput>,
}

/// Reduces items from the back until they have at least `wanted` groups.
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

fn spilled(groups: KeyCounts, space: &SpillSpace) -> Result<PartitionGroups> {
    let mut pieces = PartitionGroups::default();
    pieces.push(groups);
    pieces.spill(space)?;
    Ok(pieces)
}

/// Copies groups, with long keys cut to [`MAX_SAMPLE_KEY`] bytes.
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
        short.push(&key[..key.len().min(MAX_SAMPLE_KEY)], group.count);
    }
    for key in groups.packed_long.iter() {
        short.push(&key[..key.len().min(MAX_SAMPLE_KEY)], 1);
    }
    short
}
