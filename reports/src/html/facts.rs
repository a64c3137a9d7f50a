//! A summary of at most ten lines, and the limits of the machine.

use super::markup::{Markup, escaped};
use super::table::Table;
use crate::figures::{bandwidth, size, time};
use crate::model::Report;
use crate::summary;

pub(super) fn add(page: &mut Markup, report: &Report) {
    page.raw("<h2 id=\"summary\">In short</h2>\n<dl>");
    for (name, value) in summary::lines(report) {
        page.raw(&format!(
            "<dt>{}</dt><dd>{}</dd>",
            escaped(name),
            escaped(&value)
        ));
    }
    page.raw("</dl>");
}

/// Adds the table of the machine's measured limits.
pub(super) fn limits_table(page: &mut Markup, report: &Report) {
    let read = &report.memory_read;
    let of = size(read.buffer_bytes);
    let mut rows = Vec::new();
    let mut row = |name: String, it: &crate::model::Spread, shown: fn(u64) -> String| {
        if it.runs > 0 {
            let figures = [it.median, it.min, it.max].map(shown);
            rows.push([vec![name], figures.to_vec(), vec![it.runs.to_string()]].concat());
        }
    };
    row(
        format!("reading memory, 1 core, {of}"),
        &read.one_core,
        bandwidth,
    );
    row(
        format!("reading memory, {} threads, {of}", read.threads),
        &read.all_cores,
        bandwidth,
    );
    for adapter in &report.adapters {
        let Some(limits) = &adapter.limits else {
            continue;
        };
        row(
            format!("upload, {}", adapter.name),
            &limits.upload,
            bandwidth,
        );
        row(
            format!("upload from pinned memory, {}", adapter.name),
            &limits.pinned,
            bandwidth,
        );
        row(
            format!("readback, {}", adapter.name),
            &limits.readback,
            bandwidth,
        );
        row(format!("launch, {}", adapter.name), &limits.launch_ns, time);
    }
    Table {
        caption: "The measured limits of this machine".to_owned(),
        headings: vec!["limit", "median", "minimum", "maximum", "runs"],
        rows,
    }
    .add(page);
}
