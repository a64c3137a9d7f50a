//! Recommends CPU or GPU for this data, and lists where the GPU lost.

use crate::crossover::{self, best_on_cpu, crossover, on_adapter, points};
use crate::figures::{bandwidth, rate, ratio, size};
use crate::model::{Adapter, Case, Choice, Data, Kind, Needed, Recommendation, Report, Subject};
use crate::needed::USUAL_BUS;

/// The description of a file without bytes.
pub(crate) const EMPTY: &str = "an empty file";

/// Returns a recommendation for each text that was counted.
pub(crate) fn recommend(report: &Report) -> Vec<Recommendation> {
    let texts = report.data.iter().filter(|data| data.kind == Kind::Text);
    texts
        .filter_map(|data| {
            if data.is_given && data.bytes == 0 && data.description == EMPTY {
                return Some(nothing(data));
            }
            let largest = largest_count(report, &data.name)?;
            let (choice, verdict) = verdict(report, largest);
            let text = match choice {
                Choice::None => verdict,
                _ => format!("{verdict} {}", on_the_cpu(report, largest)?),
            };
            Some(Recommendation {
                data: data.name.clone(),
                choice,
                text,
            })
        })
        .collect()
}

fn nothing(data: &Data) -> Recommendation {
    Recommendation {
        data: data.name.clone(),
        choice: Choice::Cpu,
        text: "Use the CPU: the data is empty, so there is nothing to count.".to_owned(),
    }
}

pub(crate) fn largest_count<'a>(report: &'a Report, data: &str) -> Option<&'a Case> {
    let cases = report.cases.iter();
    cases
        .filter(|case| case.subject == Subject::Count && case.data == data)
        .max_by_key(|case| case.bytes)
}

fn verdict(report: &Report, largest: &Case) -> (Choice, String) {
    if !report.answers_agree {
        let text = "Do not rely on these figures: answers disagree, see above. This is a bug of \
                    keymill or of a driver; please report it.";
        return (Choice::None, text.to_owned());
    }
    match best_gpu(report, &largest.data) {
        Some(number) => against(report, largest, number),
        None => {
            let why = why_no_gpu(report);
            let needed = what_is_needed(report, &largest.data);
            (Choice::Cpu, format!("Use the CPU: {why}.{needed}"))
        }
    }
}

/// Returns the GPU that wins, or else the one that is fastest at the largest size.
pub(crate) fn best_gpu(report: &Report, data: &str) -> Option<u32> {
    let gpus = (0..report.adapters.len() as u32)
        .filter(|&number| report.adapter(number).is_some_and(|it| !it.is_software));
    let ranked = gpus.filter_map(|number| {
        let points = points(report, Subject::Count, data, number);
        let last = points.last()?;
        // First those with larger measured sizes; then by the ratio to the CPU, in thousandths.
        let ratio = u128::from(last.adapter) * 1000 / u128::from(last.cpu.max(1));
        let loses = crossover(&points).is_none();
        Some((std::cmp::Reverse(last.bytes), loses, ratio, number))
    });
    ranked.min().map(|(_, _, _, number)| number)
}

fn why_no_gpu(report: &Report) -> String {
    let (software, gpus): (Vec<&Adapter>, Vec<&Adapter>) =
        report.adapters.iter().partition(|it| it.is_software);
    match (gpus.first(), software.first()) {
        (Some(gpu), _) => match &gpu.not_measured {
            Some(why) => format!("the GPU {} has no figures ({why})", gpu.name),
            None => format!("the GPU {} has no figures for this data", gpu.name),
        },
        (None, Some(adapter)) => format!(
            "this machine has no GPU. {} is {}: it runs on the same processor and is never \
             recommended",
            adapter.name, adapter.label
        ),
        (None, None) => "no adapter was found on this machine".to_owned(),
    }
}

/// Returns what a GPU behind the usual bus would have to reach.
fn what_is_needed(report: &Report, data: &str) -> String {
    let is_it = |it: &&Needed| it.data == data && it.bus == USUAL_BUS;
    let Some(needed) = report.needed.iter().find(is_it) else {
        return String::new();
    };
    let bus = format!("{USUAL_BUS} ({})", bandwidth(needed.bus_rate));
    match needed.kernel {
        Some(kernel) => format!(
            " A GPU behind {bus} would be as fast as the CPU if its kernel counted {}.",
            bandwidth(kernel)
        ),
        None => {
            format!(" No GPU behind {bus} would pay: the copy alone takes longer than the CPU.")
        }
    }
}

/// Compares the CPU with one GPU.
fn against(report: &Report, largest: &Case, number: u32) -> (Choice, String) {
    let points = points(report, Subject::Count, &largest.data, number);
    let name = report.adapter(number).map_or("the GPU", |it| &it.name);
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return (Choice::Cpu, format!("Use the CPU: {name} has no figures."));
    };
    let up_to = size(last.bytes);
    if last.bytes < largest.bytes {
        let text = format!(
            "Use the CPU: {name} has no figures above {up_to}; this report lists what failed or was \
             left out."
        );
        return (Choice::Cpu, text);
    }
    let tie = tie(largest, number);
    let gain = format!(
        "at {up_to} it is {} times as fast as the CPU, end to end.{tie}",
        ratio(last.cpu, last.adapter)
    );
    match crossover(&points) {
        None => {
            let text = format!(
                "Use the CPU: {name} is not faster at {up_to}, where it takes {} times as long, \
                 end to end.{tie}{}",
                ratio(last.adapter, last.cpu),
                kernel_alone(largest, number)
            );
            (Choice::Cpu, text)
        }
        Some(from) if from == first.bytes => {
            let from = size(from);
            let text = format!("Use {name}: it is faster at every size from {from} on; {gain}");
            (Choice::Gpu, text)
        }
        Some(from) => {
            let from = size(from);
            let text = format!("Use the CPU below {from} and {name} from there on; {gain}");
            (Choice::BySize, text)
        }
    }
}

/// Returns a remark if the runs of both overlap, so that their order may be chance.
fn tie(largest: &Case, number: u32) -> String {
    let both = best_on_cpu(largest).zip(on_adapter(largest, number));
    let overlap = both.is_some_and(|(cpu, gpu)| {
        let (cpu, gpu) = (cpu.end_to_end, gpu.end_to_end);
        cpu.min <= gpu.max && gpu.min <= cpu.max
    });
    match overlap {
        true => " (The runs of both overlap: treat it as a tie.)".to_owned(),
        false => String::new(),
    }
}

/// Returns a remark if the kernel is faster than the CPU although the whole is slower.
fn kernel_alone(largest: &Case, number: u32) -> String {
    let both = best_on_cpu(largest).zip(on_adapter(largest, number));
    let gain = both.and_then(|(cpu, gpu)| {
        let kernel = gpu.kernel?.median;
        let copies = gpu.upload?.median + gpu.readback?.median;
        let around = gpu.end_to_end.median.saturating_sub(kernel);
        let what_costs = match copies >= around / 2 {
            true => "the rest of the time is mostly the copies of data and answer",
            false => "the rest of the time is mostly work of the host",
        };
        let is_faster = kernel < cpu.end_to_end.median;
        is_faster.then(|| (ratio(cpu.end_to_end.median, kernel), what_costs))
    });
    gain.map_or_else(String::new, |(gain, what_costs)| {
        format!(" Its kernel alone is {gain} times as fast as the CPU; {what_costs}.")
    })
}

/// Describes the fastest way on the CPU, its gain by threads, and its part of the memory rate.
fn on_the_cpu(report: &Report, largest: &Case) -> Option<String> {
    let best = best_on_cpu(largest)?;
    let time = best.end_to_end.median;
    let mut text = format!(
        "Fastest on the CPU: {}, with {} at {}",
        best.name,
        rate(largest.bytes, time),
        size(largest.bytes)
    );
    let by_one = largest.ways.iter().filter(|way| way.threads == Some(1));
    match by_one.map(|way| way.end_to_end.median).min() {
        Some(one) if one > time => text += &format!(", {} times one thread", ratio(one, time)),
        Some(_) if report.machine.cores > 1 => text += "; more threads do not help at this size",
        _ => {}
    }
    let memory = report.memory_read.all_cores.median;
    if memory > 0 {
        let reached = largest.bytes as f64 / time.max(1) as f64 * 1e9 / memory as f64;
        text += &format!("; that is {:.1} % of ", reached * 100.0);
        text += &format!("the rate of reading memory, {}", bandwidth(memory));
    }
    Some(text + ".")
}

/// Lists each size at which a GPU took longer than the best way on the CPU.
pub(crate) fn gpu_lost(report: &Report) -> Vec<String> {
    let mut lost = Vec::new();
    for (number, adapter) in (0..).zip(&report.adapters) {
        if adapter.is_software {
            continue;
        }
        for (subject, data) in crossover::subjects(report) {
            for point in points(report, subject, data, number) {
                if !point.adapter_wins() {
                    lost.push(format!(
                        "{}, {data}, {}: {} takes {} times as long as the CPU",
                        subject.name(),
                        size(point.bytes),
                        adapter.name,
                        ratio(point.adapter, point.cpu)
                    ));
                }
            }
        }
    }
    lost
}

#[cfg(test)]
mod tests;
