//! Figures with targets for a GPU, computed from the cases.
//!
//! Each figure is computed only from the report, at the size that it states. A slow machine, or one
//! with little memory, has smaller sizes than planned.

use crate::crossover::on_adapter;
use crate::model::{
    Case, Data, Kind, Measure, MeasureName, Part, Report, Spread, Subject, Unit, Way,
};
use crate::plan::{UNIFORM, ZIPF};

/// Bytes of a micro-batch.
const BATCH_BYTES: u64 = 1 << 20;

/// Returns all figures that the cases of a report allow.
pub(crate) fn all(report: &Report) -> Vec<Measure> {
    let mut found = Vec::new();
    for adapter in 0..report.adapters.len() as u32 {
        found.extend(resident(report, adapter));
        found.extend(reduced(report, adapter));
        found.extend(skewed(report, adapter));
        found.extend(streamed(report, adapter));
        found.extend(batches(report, adapter));
    }
    found.extend(chosen(report));
    found
}

/// Returns the description of a figure and its target for a GPU of the H200's class.
pub(crate) fn target(name: MeasureName, data: &str) -> (&'static str, &'static str) {
    match name {
        MeasureName::TokenizeResident => {
            ("tokenize, resident, ordered offsets", "150, then 600 GB/s")
        }
        MeasureName::HashPartitionResident => (
            "hash_partition, 32-bit keys, 256 parts",
            "20, then 80 G rows/s",
        ),
        MeasureName::ReduceByKeyResident => (
            "reduce_by_key, unsorted, 64-bit keys",
            match data {
                "rows-100" => "40, then 120 G rows/s",
                "rows-10m" => "4, then 12 G rows/s",
                _ => "15, then 40 G rows/s",
            },
        ),
        // These rows are longer and have no target.
        MeasureName::ReduceByTextKeyResident => ("reduce_by_key, unsorted, text keys", ""),
        MeasureName::ZipfAgainstUniform => ("Zipf against uniform keys, time", "1.3, then 1.0"),
        MeasureName::CountResident => ("exact word count, resident", "50, then 150 GB/s"),
        MeasureName::StreamedAgainstPinned => (
            "word count, streamed, against a pinned copy",
            "0.5, then 0.85",
        ),
        MeasureName::MicroBatch => (
            "micro-batch, from upload to result",
            "1 ms, then 250 µs at 1 MiB",
        ),
        MeasureName::AutoAgainstBetter => (
            "auto against the better device, time, worst size",
            "1.25, then 1.05",
        ),
    }
}

/// Returns the figures of the largest resident data of each subject.
fn resident(report: &Report, adapter: u32) -> Vec<Measure> {
    let subjects = [
        (Subject::Tokenize, MeasureName::TokenizeResident),
        (Subject::HashPartition, MeasureName::HashPartitionResident),
        (Subject::Count, MeasureName::CountResident),
    ];
    let measure = |(subject, name)| {
        let of = |case: &&Case| case.subject == subject && on_adapter(case, adapter).is_some();
        let cases = report.resident.iter().filter(of);
        let case = cases.max_by_key(|case| case.bytes)?;
        let way = on_adapter(case, adapter)?;
        let (unit, amount) = match subject {
            Subject::HashPartition => (Unit::RowsPerSecond, way.answer.rows),
            _ => (Unit::BytesPerSecond, case.bytes),
        };
        let figure = rates(amount, way.kernel?);
        Some(measured(name, Some(adapter), case, unit, figure))
    };
    subjects.into_iter().filter_map(measure).collect()
}

/// Returns the figures of rows, by their number of groups. Rows by Zipf's law have their own figure.
fn reduced(report: &Report, adapter: u32) -> Vec<Measure> {
    let measure = |data: &Data| {
        let name = match data.kind {
            Kind::Rows if data.name != ZIPF.name => MeasureName::ReduceByKeyResident,
            Kind::TextRows => MeasureName::ReduceByTextKeyResident,
            _ => return None,
        };
        let cases = of_adapter(report, Subject::ReduceByKey, &data.name, adapter);
        let (case, way) = cases.into_iter().max_by_key(|(case, _)| case.bytes)?;
        let figure = rates(way.answer.rows, kernel_of(way)?);
        let unit = Unit::RowsPerSecond;
        Some(measured(name, Some(adapter), case, unit, figure))
    };
    report.data.iter().filter_map(measure).collect()
}

/// Returns the kernel's time of a reduction.
fn kernel_of(way: &Way) -> Option<Spread> {
    way.kernel
}

/// Returns the cases of some data with their stage on an adapter.
fn of_adapter<'a>(
    report: &'a Report,
    subject: Subject,
    data: &str,
    adapter: u32,
) -> Vec<(&'a Case, &'a Way)> {
    let of = |case: &&Case| case.subject == subject && case.data == data;
    let cases = report.cases.iter().filter(of);
    cases
        .filter_map(|case| Some((case, on_adapter(case, adapter)?)))
        .collect()
}

fn skewed(report: &Report, adapter: u32) -> Option<Measure> {
    let of = |data| of_adapter(report, Subject::ReduceByKey, data, adapter);
    let uniform = of(UNIFORM.name);
    let both = of(ZIPF.name).into_iter().filter_map(|(case, way)| {
        let (_, other) = uniform.iter().find(|(it, _)| it.bytes == case.bytes)?;
        Some((case, kernel_of(way)?, kernel_of(other)?))
    });
    let (case, zipf, uniform) = both.max_by_key(|(case, ..)| case.bytes)?;
    let figure = ratios(zipf, uniform.median);
    let name = MeasureName::ZipfAgainstUniform;
    Some(measured(
        name,
        Some(adapter),
        case,
        Unit::Thousandths,
        figure,
    ))
}

fn job_on(case: &Case, adapter: Option<u32>) -> Option<&Way> {
    let is_it = |way: &&Way| way.part == Part::Job && way.adapter == adapter;
    let jobs = case.ways.iter().filter(is_it);
    jobs.min_by_key(|way| way.end_to_end.median)
}

fn texts(report: &Report) -> impl Iterator<Item = &str> {
    let texts = report.data.iter().filter(|data| data.kind == Kind::Text);
    texts.map(|data| data.name.as_str())
}

fn streamed(report: &Report, adapter: u32) -> Vec<Measure> {
    let limits = report.adapter(adapter).and_then(|it| it.limits.as_ref());
    let Some(pinned) = limits.map(|limits| limits.pinned.median) else {
        return Vec::new();
    };
    let measure = |data| {
        let cases = report.cases.iter();
        let of = cases.filter(|case| case.subject == Subject::Count && case.data == data);
        let on_it = of.filter_map(|case| Some((case, job_on(case, Some(adapter))?)));
        let (case, way) = on_it.max_by_key(|(case, _)| case.bytes)?;
        // The time of a copy of the same bytes, divided by the job's time.
        let copied = (case.bytes as f64 / pinned.max(1) as f64 * 1e9) as u64;
        let part = |time: u64| copied.saturating_mul(1000) / time.max(1);
        let figure = inverted(way.end_to_end, part);
        let name = MeasureName::StreamedAgainstPinned;
        Some(measured(
            name,
            Some(adapter),
            case,
            Unit::Thousandths,
            figure,
        ))
    };
    texts(report).filter_map(measure).collect()
}

/// Returns the figures at the size that is closest to a micro-batch.
fn batches(report: &Report, adapter: u32) -> Vec<Measure> {
    let measure = |data| {
        let cases = of_adapter(report, Subject::Count, data, adapter);
        let distance = |case: &Case| case.bytes.abs_diff(BATCH_BYTES);
        let (case, way) = cases.into_iter().min_by_key(|(case, _)| distance(case))?;
        let name = MeasureName::MicroBatch;
        let figure = way.end_to_end;
        Some(measured(
            name,
            Some(adapter),
            case,
            Unit::Nanoseconds,
            figure,
        ))
    };
    texts(report).filter_map(measure).collect()
}

/// Returns the figures of `auto` at its worst size, compared with jobs on the CPU and on adapters.
fn chosen(report: &Report) -> Vec<Measure> {
    let measure = |data| {
        let cases = report.cases.iter();
        let of = cases.filter(|case| case.subject == Subject::Count && case.data == data);
        let compared = of.filter_map(|case| {
            let auto = case.ways.iter().find(|way| way.part == Part::Auto)?;
            let jobs = case.ways.iter().filter(|way| way.part == Part::Job);
            let better = jobs.map(|way| way.end_to_end.median).min()?;
            Some((case, ratios(auto.end_to_end, better)))
        });
        let (case, figure) = compared.max_by_key(|(_, figure)| figure.median)?;
        let name = MeasureName::AutoAgainstBetter;
        Some(measured(name, None, case, Unit::Thousandths, figure))
    };
    texts(report).filter_map(measure).collect()
}

fn measured(
    name: MeasureName,
    adapter: Option<u32>,
    case: &Case,
    unit: Unit,
    figure: Spread,
) -> Measure {
    Measure {
        name,
        adapter,
        data: case.data.clone(),
        bytes: case.bytes,
        unit,
        figure,
    }
}

/// Returns the rates of an amount, per second. The longest time is the minimum rate.
fn rates(amount: u64, times: Spread) -> Spread {
    inverted(times, |time| {
        (amount as f64 / time.max(1) as f64 * 1e9) as u64
    })
}

fn ratios(times: Spread, other: u64) -> Spread {
    let ratio = |time: u64| (time as f64 / other.max(1) as f64 * 1000.0).round() as u64;
    Spread {
        median: ratio(times.median),
        min: ratio(times.min),
        max: ratio(times.max),
        runs: times.runs,
    }
}

/// Maps times to figures that decrease with time, so minimum and maximum are swapped.
fn inverted(times: Spread, figure: impl Fn(u64) -> u64) -> Spread {
    Spread {
        median: figure(times.median),
        min: figure(times.max),
        max: figure(times.min),
        runs: times.runs,
    }
}

#[cfg(test)]
mod tests;
