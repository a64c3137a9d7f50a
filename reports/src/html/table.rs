//! Tables that scroll by themselves on a narrow screen.

use super::markup::{Markup, escaped};

/// A table whose first cell of each row names the row.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) caption: String,
    pub(crate) headings: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// Adds a table of words, whose cells begin at the left, unless it has no rows.
    pub(crate) fn add_words(&self, page: &mut Markup) {
        page.raw("<div class=\"words\">");
        self.add(page);
        page.raw("</div>");
    }
}

impl Table {
    /// Adds the table to a page, unless it has no rows.
    pub(crate) fn add(&self, page: &mut Markup) {
        if self.rows.is_empty() {
            return;
        }
        let caption = escaped(&self.caption);
        // The keyboard scrolls what can have the focus.
        page.raw(&format!(
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\n\
             <table><caption>{caption}</caption>\n<thead><tr>{}</tr></thead>\n<tbody>",
            cells(&self.headings, "th scope=\"col\"", "th")
        ));
        for row in &self.rows {
            let Some((name, figures)) = row.split_first() else {
                continue;
            };
            page.raw(&format!(
                "<tr><th scope=\"row\">{}</th>{}</tr>",
                escaped(name),
                cells(figures, "td", "td")
            ));
        }
        page.raw("</tbody></table></div>");
    }
}

fn cells<T: AsRef<str>>(texts: &[T], begin: &str, end: &str) -> String {
    let texts = texts.iter();
    texts
        .map(|text| format!("<{begin}>{}</{end}>", escaped(text.as_ref())))
        .collect()
}
