//! What changed since an earlier report.

use super::markup::Markup;
use super::table::Table;
use crate::model::{Change, Report};
use crate::since;

pub(super) fn add(page: &mut Markup, report: &Report) {
    let Some(since) = &report.since else {
        return;
    };
    page.section("since", since::TITLE, &since::sentence(since));
    table("Slower than before", &since.slower).add(page);
    table("Faster than before", &since.faster).add(page);
}

fn table(caption: &str, changes: &[Change]) -> Table {
    Table {
        caption: caption.to_owned(),
        headings: since::HEADINGS.to_vec(),
        rows: changes.iter().map(since::row).collect(),
    }
}
