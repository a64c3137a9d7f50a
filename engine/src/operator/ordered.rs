//! Prepares an ordered drain: everything is reduced, and dealt to ranges or seen by the top.

use keymill_kernels::Groups;

use super::batches::{Batches, Source, batches_of};
use super::drain::BatchLimits;
use super::item::Item;
use super::partitions::{Part, Pieces};
use super::reduce::{Reducer, Setting};
use crate::order::{By, Dealer, Dealt, Range, Splitters, Top, range_count};
use crate::spill::SpillSpace;
use crate::{Result, parallel};

/// Groups of the sample for each range.
const SAMPLED: usize = 8;
/// Bytes of a key that the order may be cut by.
const GIANT: usize = 1 << 10;

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
    let (news, mut kept, splitters) = split_changes(&setting, parts, by)?;
    let workers = parallel::work(
        setting.resources.threads,
        news,
        || (Worker::new(&setting, by, &splitters), Vec::new()),
        |(Worker { reducer, dealer }, kept), news| {
            match news {
                News::Changed(groups) => dealer.deal(&groups)?,
                News::Part(number, part) => {
                    let part = reducer.reduce_changed(part, |groups| dealer.deal(groups))?;
                    kept.push((number, part));
                }
            }
            Ok(())
        },
    )?;
    let mut dealers = Vec::new();
    for (worker, more) in workers {
        dealers.push(worker.dealer);
        kept.extend(more);
    }
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
    let sample = take_sample(setting, &mut items, ranges * SAMPLED)?;
    let splitters = Splitters::choose(by, &sample.keys, ranges)?;
    items.extend(sample.items);
    Ok((items, splitters))
}

/// Where changed groups come from.
enum News {
    /// A partition, of this number.
    Part(usize, Part),
    /// Groups that were reduced for the sample.
    Changed(Groups),
}

/// What [`split_changes`] leaves: the work, the partitions that are done, and where to cut.
type SplitChanges = (Vec<News>, Vec<(usize, Part)>, Splitters);

/// Chooses where to cut the order of changed groups, from the first partitions.
fn split_changes(setting: &Setting, parts: Vec<Part>, by: By) -> Result<SplitChanges> {
    let groups = parts.iter().map(|part| part.fresh.groups()).sum();
    let whole = parts.iter().map(|part| part.fresh.loaded_bytes()).sum();
    let ranges = range_count(groups, whole, &setting.resources);
    let mut parts = parts.into_iter().enumerate();
    let (mut sample, mut kept, mut sampled, mut bytes) = (Vec::new(), Vec::new(), 0, 0);
    let most_bytes = setting.resources.memory.limit() / 16;
    let mut reducer = Reducer::new(setting);
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
    let parts = parts.map(|(number, part)| News::Part(number, part));
    Ok((sample.chain(parts).collect(), kept, splitters))
}

/// Groups by which the order is cut, and the items that they are of, reduced.
struct Sample {
    keys: Vec<Groups>,
    items: Vec<Item>,
}

/// Reduces items from the back until they have so many groups.
fn take_sample(setting: &Setting, items: &mut Vec<Item>, wanted: usize) -> Result<Sample> {
    let budget = &setting.resources.memory;
    let mut reducer = Reducer::new(setting);
    let (mut keys, mut reduced, mut groups) = (Vec::new(), Vec::new(), 0);
    while groups < wanted {
        let Some(item) = items.pop() else { break };
        item.reduce(&mut reducer, |part| {
            groups += part.len();
            keys.push(shortened(part));
            let groups = std::mem::take(part);
            let item = match budget.is_tight(budget.limit() / 4) {
                true => Item::part(spilled(groups, &setting.space)?, budget),
                false => Item::reduced(groups, budget),
            };
            reduced.push(item);
            Ok(())
        })?;
    }
    let items = reduced;
    Ok(Sample { keys, items })
}

fn spilled(groups: Groups, space: &SpillSpace) -> Result<Pieces> {
    let mut pieces = Pieces::default();
    pieces.push(groups);
    pieces.spill(space)?;
    Ok(pieces)
}

/// The same groups, of giant keys the beginning alone.
fn shortened(groups: &Groups) -> Groups {
    let mut short = Groups {
        short: groups.short.clone(),
        mid: groups.mid.clone(),
        once: groups.once.clone(),
        empty: groups.empty,
        ..Groups::default()
    };
    for group in &groups.long {
        let key = groups.long_key(group);
        short.push(&key[..key.len().min(GIANT)], group.count);
    }
    for key in groups.once_long.iter() {
        short.push(&key[..key.len().min(GIANT)], 1);
    }
    short
}
