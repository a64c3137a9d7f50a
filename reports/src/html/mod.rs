//! The report as one HTML page: no script, no network, and well-formed XML.

mod answer;
mod chart;
mod doubts;
mod facts;
mod keys;
mod latency;
mod limits;
mod machine;
mod markup;
mod method;
mod needed;
mod parts;
mod since;
mod sizes;
mod table;
mod threads;

use self::markup::{Markup, escaped};
use crate::model::Report;

/// Returns a report as one HTML page, for people.
///
/// # Examples
///
/// ```
/// let report = keymill_report::Report::default();
/// assert!(keymill_report::to_html(&report).starts_with("<!DOCTYPE html>"));
/// ```
#[must_use]
pub fn to_html(report: &Report) -> String {
    page(report).into_text()
}

/// Returns each chart of the page as an SVG file of its own, with its name.
///
/// # Examples
///
/// ```
/// let report = keymill_report::Report::default();
/// assert!(keymill_report::to_charts(&report).is_empty());
/// ```
#[must_use]
pub fn to_charts(report: &Report) -> Vec<(String, String)> {
    let charts = page(report).into_charts();
    let files = charts.iter().map(|it| (it.id.clone(), it.file(style())));
    files.collect()
}

fn page(report: &Report) -> Markup {
    let mut page = Markup::default();
    head(&mut page);
    answer::add(&mut page, report);
    doubts::add(&mut page, report);
    facts::add(&mut page, report);
    page.with_links(sections(report));
    page.raw("</main>");
    let made = format!("keymill {}, {}", report.machine.keymill, report.started);
    page.raw(&format!("<footer>{}</footer>", escaped(&made)));
    page.raw("</body>\n</html>");
    page
}

fn sections(report: &Report) -> Markup {
    let mut page = Markup::default();
    since::add(&mut page, report);
    sizes::add(&mut page, report);
    limits::add(&mut page, report);
    parts::add(&mut page, report);
    needed::add(&mut page, report);
    latency::add(&mut page, report);
    keys::add(&mut page, report);
    threads::add(&mut page, report);
    machine::add(&mut page, report);
    method::add(&mut page, report);
    page
}

/// Returns the style of the page and of its charts.
fn style() -> &'static str {
    include_str!("style.css")
}

fn head(page: &mut Markup) {
    page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>");
    page.raw("<title>Does a GPU pay for this data? A report of keymill</title>");
    page.raw(&format!("<style>\n{}</style>", style()));
    page.raw("</head>\n<body>\n<header>");
}

#[cfg(test)]
mod tests;
