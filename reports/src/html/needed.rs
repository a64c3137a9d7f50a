//! What a GPU would have to reach to be as fast as this CPU.

use super::markup::Markup;
use super::table::Table;
use crate::figures::{bandwidth, size};
use crate::model::{Needed, Report};

pub(super) fn add(page: &mut Markup, report: &Report) {
    if report.needed.is_empty() {
        return;
    }
    page.section("needed",
        "What a GPU would have to reach",
        "Computed from the measured rate of the CPU and the usual rate of a bus: the rate that the kernel \
         of a GPU needs to be as fast as the CPU, if it begins after the copy. If copies and kernels \
         overlap fully, the CPU's own rate is enough, but never more than the bus brings.",
    );
    let row = |it: &Needed| {
        let kernel = it.kernel.map(bandwidth);
        vec![
            it.data.clone(),
            size(it.bytes),
            bandwidth(it.cpu),
            it.bus.clone(),
            bandwidth(it.bus_rate),
            kernel
                .unwrap_or_else(|| "none is enough: the copy takes longer than the CPU".to_owned()),
        ]
    };
    Table {
        caption: "The rate that a kernel needs behind each bus".to_owned(),
        headings: vec![
            "data",
            "size",
            "the CPU’s best",
            "bus",
            "copies over it",
            "kernel needs",
        ],
        rows: report.needed.iter().map(row).collect(),
    }
    .add(page);
}
