//! Text of HTML and SVG that is also well-formed XML.

use std::fmt::Write;

use super::chart::Drawing;

/// Returns a text as the content of an element or of an attribute.
///
/// Characters that XML forbids are replaced.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(' '),
            '\u{fffe}' | '\u{ffff}' => safe.push(char::REPLACEMENT_CHARACTER),
            _ if character.is_control() => safe.push(char::REPLACEMENT_CHARACTER),
            _ => safe.push(character),
        }
    }
    safe
}

/// A document that is written from its start to its end.
#[derive(Debug, Default)]
pub(crate) struct Markup {
    text: String,
    /// The identifiers and titles of the sections.
    sections: Vec<(&'static str, &'static str)>,
    charts: Vec<Drawing>,
}

impl Markup {
    /// Adds markup as it is.
    pub(crate) fn raw(&mut self, markup: &str) -> &mut Self {
        self.text.push_str(markup);
        self.text.push('\n');
        self
    }

    /// Adds a chart, if there is one.
    pub(crate) fn chart(&mut self, drawing: Option<Drawing>) -> &mut Self {
        if let Some(drawing) = drawing {
            self.raw(&drawing.figure());
            self.charts.push(drawing);
        }
        self
    }

    /// Begins a section with a title that links can name.
    pub(crate) fn section(&mut self, id: &'static str, title: &'static str, words: &str) {
        self.raw(&format!("<h2 id=\"{id}\">{}</h2>", escaped(title)));
        self.paragraph(words);
        self.sections.push((id, title));
    }

    /// Adds another document, and before it the links to its sections.
    pub(crate) fn with_links(&mut self, other: Self) -> &mut Self {
        self.raw("<nav aria-label=\"Sections\"><ul>");
        for (id, title) in &other.sections {
            self.raw(&format!(
                "<li><a href=\"#{id}\">{}</a></li>",
                escaped(title)
            ));
        }
        self.raw("</ul></nav>\n</header>\n<main>");
        self.charts.extend(other.charts);
        self.raw(&other.text)
    }

    /// Adds an element with a text.
    pub(crate) fn element(&mut self, name: &str, text: &str) -> &mut Self {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "<{name}>{}</{name}>", escaped(text));
        self
    }

    /// Adds a paragraph.
    pub(crate) fn paragraph(&mut self, text: &str) -> &mut Self {
        self.element("p", text)
    }

    /// Adds a list, unless it is empty.
    pub(crate) fn list<T: AsRef<str>>(&mut self, items: &[T]) -> &mut Self {
        if items.is_empty() {
            return self;
        }
        self.raw("<ul>");
        for item in items {
            self.element("li", item.as_ref());
        }
        self.raw("</ul>")
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    pub(crate) fn into_charts(self) -> Vec<Drawing> {
        self.charts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_an_element_or_an_attribute() {
        assert_eq!(escaped(r#"a<b>&"c"#), "a&lt;b&gt;&amp;&quot;c");
        assert_eq!(
            escaped("a\nb\u{1b}\u{0}\u{ffff}é"),
            "a b\u{fffd}\u{fffd}\u{fffd}é"
        );
    }

    #[test]
    fn an_empty_list_is_left_out() {
        let mut page = Markup::default();
        page.list::<&str>(&[]).list(&["a<"]).element("h1", "b&");
        assert_eq!(
            page.into_text(),
            "<ul>\n<li>a&lt;</li>\n</ul>\n<h1>b&amp;</h1>\n"
        );
    }
}
