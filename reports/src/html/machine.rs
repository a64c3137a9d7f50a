//! The machine, its adapters, and the data.

use super::markup::Markup;
use super::table::Table;
use crate::figures::size;
use crate::model::Report;

pub(super) fn add(page: &mut Markup, report: &Report) {
    let machine = &report.machine;
    page.section(
        "machine",
        "The machine and the data",
        "Reports of one machine and one build have the same fingerprint.",
    );
    let unknown = || "unknown".to_owned();
    let caches = machine.caches.iter();
    let caches: Vec<String> = caches
        .map(|it| format!("{} {}", it.name, size(it.bytes)))
        .collect();
    let rows = [
        ("fingerprint", machine.fingerprint.clone()),
        (
            "processor",
            machine.processor.clone().unwrap_or_else(unknown),
        ),
        ("cores for this process", machine.cores.to_string()),
        ("SIMD levels", machine.levels.join(", ")),
        (
            "caches",
            if caches.is_empty() {
                unknown()
            } else {
                caches.join(", ")
            },
        ),
        ("memory", machine.memory_bytes.map_or_else(unknown, size)),
        (
            "system",
            format!("{}, {}", machine.system, machine.architecture),
        ),
        ("kernel", machine.kernel.clone().unwrap_or_else(unknown)),
        (
            "keymill",
            format!("{}, {} build", machine.keymill, machine.build),
        ),
    ];
    words(
        "The machine",
        vec!["property", "value"],
        rows.map(|(name, value)| vec![name.to_owned(), value])
            .to_vec(),
    )
    .add_words(page);
    let adapters = report.adapters.iter().map(|it| {
        let measured = it.not_measured.as_ref();
        vec![
            it.name.clone(),
            it.label.clone(),
            it.interface.clone(),
            it.driver.clone(),
            size(it.binding_bytes),
            measured.map_or_else(|| "yes".to_owned(), |why| format!("no: {why}")),
        ]
    });
    let headings = vec![
        "adapter",
        "kind",
        "interface",
        "driver",
        "largest binding",
        "measured",
    ];
    if report.adapters.is_empty() {
        page.paragraph("No adapter was found.");
    }
    words("Adapters", headings, adapters.collect()).add_words(page);
    let data = report
        .data
        .iter()
        .map(|it| vec![it.name.clone(), it.description.clone(), size(it.bytes)]);
    words(
        "The data",
        vec!["data", "what it is", "measured up to"],
        data.collect(),
    )
    .add_words(page);
}

fn words(caption: &str, headings: Vec<&'static str>, rows: Vec<Vec<String>>) -> Table {
    Table {
        caption: caption.to_owned(),
        headings,
        rows,
    }
}
