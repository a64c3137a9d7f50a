//! Warnings about figures that may mislead.

use super::markup::Markup;
use crate::doubts::doubts;
use crate::model::Report;

pub(super) fn add(page: &mut Markup, report: &Report) {
    let doubts = doubts(report);
    if doubts.is_empty() {
        return;
    }
    page.raw("<div class=\"doubts\" role=\"note\">");
    page.element("h2", "Read these figures with care");
    page.list(&doubts);
    page.raw("</div>");
}
