//! Describes what a job will do.
#![forbid(unsafe_code)]

use std::fmt;

use super::{AggregateJob, CountJob, Engine};
use crate::TokenRule;
use crate::exec::{GroupByJob, Job, describe_placement, describe_placement_of_batches};
use crate::read::Estimate;
use crate::shown_name;

/// The text of `explain()`.
pub(crate) struct Plan<'a> {
    job: &'a CountJob,
}

impl<'a> Plan<'a> {
    pub(crate) fn of(job: &'a CountJob) -> Self {
        Self { job }
    }
}

impl fmt::Display for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job } = self;
        let resources = job.engine.resources();
        let limits = resources.tuning;
        match &job.input {
            Ok(input) => writeln!(f, "source      {}", input.describe())?,
            Err(error) => writeln!(f, "source      {error}")?,
        }
        if job.job.lowercase {
            writeln!(f, "lowercase   character by character")?;
        }
        let rule = &job.job.rule;
        writeln!(f, "tokenize    {rule} ({})", describe(rule))?;
        writeln!(
            f,
            "count       fused with tokenize; hash_partition into {} where tables pass {} or memory is short",
            limits.partitions,
            bytes(limits.flush_bytes)
        )?;
        writeln!(
            f,
            "tables      {} slots at first, growing; prefetched from {}",
            limits.table_slots,
            bytes(limits.prefetch_bytes)
        )?;
        writeln!(
            f,
            "merge_state once, by slices of the tables, or by partition"
        )?;
        write_machine(f, &job.engine)?;
        write!(
            f,
            "device      {}",
            describe_placement(job.engine.env(), job.job.refusal())
        )
    }
}

/// What is known of the rows to read, for people.
pub(super) fn describe_rows(estimate: &Estimate) -> String {
    let about = if estimate.is_exact { "" } else { "about " };
    let rows = format!("{about}{} to read", estimate.rows);
    let mut parts = Vec::new();
    if let Some((read, all)) = estimate.row_groups.filter(|(read, all)| read < all) {
        parts.push(format!("{} of {all} row groups", all - read));
    }
    if estimate.by_page > 0 {
        parts.push(format!("pages with {} rows", estimate.by_page));
    }
    if parts.is_empty() {
        return rows;
    }
    let of = match estimate.is_exact {
        true => "",
        false => " of the first file",
    };
    format!("{rows}; statistics leave out {}{of}", parts.join(" and "))
}

/// The plan of a job that groups rows, for `explain()`.
pub(crate) struct AggregatePlan<'a> {
    job: &'a AggregateJob,
    rows: Option<Estimate>,
    /// Whether keys are looked up in the text, where it runs on the CPU.
    keys_stay: bool,
    /// The job as it will run; the error says why it will not.
    made: &'a Result<GroupByJob, String>,
}

impl<'a> AggregatePlan<'a> {
    pub(crate) fn new(
        job: &'a AggregateJob,
        rows: Option<Estimate>,
        keys_stay: bool,
        made: &'a Result<GroupByJob, String>,
    ) -> Self {
        Self {
            job,
            rows,
            keys_stay,
            made,
        }
    }
}

impl fmt::Display for AggregatePlan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            job,
            rows,
            keys_stay,
            made,
        } = self;
        let engine = &job.input.engine;
        let limits = engine.resources().tuning;
        writeln!(f, "source      {}", job.input.batches.describe())?;
        if let Some(rows) = rows {
            writeln!(f, "rows        {}", describe_rows(rows))?;
        }
        for (step, what) in job.input.steps.describe() {
            writeln!(f, "{step:<11} {what}")?;
        }
        let stay = if *keys_stay {
            ", looked up in the text"
        } else {
            ""
        };
        writeln!(f, "keys        {}{stay}", list(&job.keys))?;
        writeln!(f, "aggregates  {}", list(&job.aggregates))?;
        writeln!(
            f,
            "group       one table; hash_partition into {} where it passes {} or memory is short",
            limits.partitions,
            bytes(limits.flush_bytes / 4)
        )?;
        writeln!(f, "merge_state once, by partition")?;
        if let Some(condition) = &job.arrangement.having {
            writeln!(f, "having      {condition}")?;
        }
        if let Some(columns) = &job.arrangement.select {
            writeln!(f, "select      {}", list(columns))?;
        }
        write_machine(f, engine)?;
        match made {
            Ok(made) => {
                let placement = describe_placement_of_batches(engine.env(), made.refusal());
                write!(f, "device      {placement}")
            }
            Err(why) => write!(f, "device      none: {why}"),
        }
    }
}

/// The text of `explain()` of a job that is written in SQL.
#[cfg(feature = "sql")]
pub(super) fn sql(input: &mut super::BatchJob, plan: &crate::sql::Plan) -> String {
    use crate::sql::Body;
    let mut lines = vec![("source", input.batches.describe())];
    let mut steps = input.steps.clone();
    plan.filter.iter().for_each(|it| steps.filter(it.clone()));
    input.batches.keep_rows(&steps);
    let rows = input.batches.estimate();
    lines.extend(rows.iter().map(|it| ("rows", describe_rows(it))));
    lines.extend(input.steps.describe());
    let mut plan = Some(plan);
    while let Some(stage) = plan {
        lines.extend(stage.filter.iter().map(|it| ("filter", it.to_string())));
        if let Body::Groups {
            keys, aggregates, ..
        } = &stage.body
        {
            lines.push(("keys", list(keys)));
            lines.push(("aggregates", list(aggregates)));
        }
        let arrangement = &stage.arrangement;
        lines.extend(
            arrangement
                .having
                .iter()
                .map(|it| ("having", it.to_string())),
        );
        lines.extend(arrangement.select.iter().map(|it| ("select", list(it))));
        if !arrangement.order.is_empty() {
            lines.push(("order", list(&arrangement.order)));
        }
        if arrangement.offset > 0 {
            lines.push(("offset", arrangement.offset.to_string()));
        }
        lines.extend(stage.limit.iter().map(|it| ("limit", it.to_string())));
        plan = stage.then.as_deref();
    }
    let lines = lines
        .iter()
        .map(|(step, what)| format!("{step:<11} {what}\n"));
    lines.collect()
}

fn list(items: &[impl fmt::Display]) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

/// The lines about what an engine gives to each job.
fn write_machine(f: &mut fmt::Formatter<'_>, engine: &Engine) -> fmt::Result {
    let resources = engine.resources();
    writeln!(
        f,
        "level       {} (this machine runs {})",
        resources.level,
        levels()
    )?;
    writeln!(f, "threads     {}", engine.env().pool.threads())?;
    let spill_dir = resources.spill_dir.unwrap_or_else(std::env::temp_dir);
    let (memory, folder) = (bytes(engine.memory()), shown_name(spill_dir));
    writeln!(f, "memory      {memory}, then spill to {folder}")
}

fn levels() -> String {
    let names: Vec<_> = crate::Level::available()
        .iter()
        .map(|level| level.name())
        .collect();
    names.join(", ")
}

fn describe(rule: &TokenRule) -> &'static str {
    match rule {
        TokenRule::Whitespace => "text between Unicode white space",
        TokenRule::Split(_) => "text between separators within lines",
        TokenRule::Words => "runs of alphabetic characters, marks and numbers",
        TokenRule::Lines => "whole lines",
        TokenRule::Field { .. } => "one field of each line",
    }
}

/// Formats a size for people.
fn bytes(size: usize) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match units.into_iter().find(|&(shift, _)| size >> shift > 0) {
        Some((shift, unit)) => {
            let whole = size as f64 / (1u64 << shift) as f64;
            format!("{} {unit}", (whole * 10.0).round() / 10.0)
        }
        None => format!("{size} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(64 << 20), "64 MiB");
    }
}
