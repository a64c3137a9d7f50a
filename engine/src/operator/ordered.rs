//! Prepares an ordered drain: everything is reduced, and dealt to ranges or seen by the top.

use keymill_kernels::Groups;

use super::batches::{Batches, Source, batches_of};
use super::drain::BatchLimits;
use super::item::Item;
use super::partitions::Part;
use super::reduce::{Reducer, Setting};
use crate::order::{By, Dealer, Dealt, Range, Splitters, Top, range_count};
use crate::{Result, parallel};

/// One worker of an ordered drain.
struct Worker<'a> {
    reducer: Reducer,
    dealer: Dealer<'a>,
}

impl<'a> Worker<'a> {
    fn new(setting: &'a Setting, by: By, splitters: &'a Splitters) -> Self {
        Self {
            reducer: Reducer::new(setting),
            dealer: Dealer::new(by, splitters, &setting.resources, &setting.space),
        }
    }
}

/// Prepares the groups of `items` to leave.
///
/// # Errors
///
/// Those of reducing and of spilling.
pub(super) fn drain_items(
    setting: Setting,
    items: Vec<Item>,
    by: By,
    limits: BatchLimits,
) -> Result<Batches> {
    let (items, splitters) = split_order(&setting, items, by)?;
    let workers = parallel::work(
        setting.resources.threads,
        items,
        || Worker::new(&setting, by, &splitters),
        |Worker { reducer, dealer }, item| {
            item.reduce(reducer, |groups| dealer.deal(groups))?;
            dealer.reuse(reducer.take_spare());
            Ok(())
        },
    )?;
    let dealers = workers.into_iter().map(|worker| worker.dealer).collect();
    Ok(dealt(setting.clone(), by, dealers, limits))
}

/// Prepares the changed groups of `parts` to leave, and answers with what is kept too.
///
/// # Errors
///
/// Those of reducing and of spilling.
pub(super) fn drain_changes(
    setting: Setting,
    parts: Vec<Part>,
    by: By,
    limits: BatchLimits,
) -> Result<(Batches, Vec<Part>)> {
    let splitters = Splitters::none(by);
    let numbered: Vec<(usize, Part)> = parts.into_iter().enumerate().collect();
    let workers = parallel::work(
        setting.resources.threads,
        numbered,
        || (Worker::new(&setting, by, &splitters), Vec::new()),
        |(Worker { reducer, dealer }, kept), (number, part)| {
            let part = reducer.reduce_changed(part, |groups| dealer.deal(groups))?;
            dealer.reuse(reducer.take_spare());
            kept.push((number, part));
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
    Ok((dealt(setting.clone(), by, dealers, limits), kept))
}

/// Prepares the first `most` groups of `items` to leave.
///
/// # Errors
///
/// Those of reducing.
pub(super) fn drain_top(
    setting: Setting,
    items: Vec<Item>,
    by: By,
    most: usize,
    limits: BatchLimits,
) -> Result<Batches> {
    let workers = parallel::work(
        setting.resources.threads,
        items,
        || (Reducer::new(&setting), Top::new(by, most)),
        |(reducer, top), item| {
            item.reduce(reducer, |groups| top.show(groups))?;
            reducer.take_spare().for_each(drop);
            Ok(())
        },
    )?;
    let mut all = Top::new(by, most);
    for (_, top) in &workers {
        all.append(top)?;
    }
    let (sorted, seen) = all.finish();
    let ready = batches_of(&limits, |batcher| sorted.write(batcher))?;
    Ok(Batches::new(setting, Source::Nothing, limits)
        .with_ready(ready)
        .with_seen(seen))
}

/// Prepares what was dealt to leave, range by range.
fn dealt(setting: Setting, by: By, dealers: Vec<Dealer<'_>>, limits: BatchLimits) -> Batches {
    let mut ranges: Vec<Range> = Vec::new();
    let (mut memory, mut seen) = (Vec::new(), Dealt::default());
    for dealer in dealers {
        let (dealt, reservation) = dealer.finish(&mut ranges);
        seen.add(dealt);
        memory.push(reservation);
    }
    ranges.retain(|range| !range.is_empty());
    Batches::new(setting, Source::Ranges(by, ranges.into()), limits)
        .with_memory(memory)
        .with_seen(seen)
}

/// Chooses where to cut the order, from the first partitions, which are a fair sample of all.
fn split_order(setting: &Setting, mut items: Vec<Item>, by: By) -> Result<(Vec<Item>, Splitters)> {
    let groups = items.iter().map(Item::groups).sum();
    let bytes = items.iter().map(Item::bytes).sum();
    let ranges = range_count(groups, bytes, &setting.resources);
    if ranges == 1 {
        return Ok((items, Splitters::none(by)));
    }
    items.reverse();
    let sample = take_sample(setting, &mut items, ranges * 8)?;
    let splitters = Splitters::choose(by, &sample, ranges)?;
    let budget = &setting.resources.memory;
    let sampled = sample.into_iter();
    items.extend(sampled.map(|groups| Item::reduced(groups, budget)));
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
            sample.push(std::mem::take(reduced));
            Ok(())
        })?;
        reducer.take_spare().for_each(drop);
    }
    Ok(sample)
}
