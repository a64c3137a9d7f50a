//! Charts as SVG whose text has the same size on every screen.
//!
//! ```text
//!  ┌──────┬──────────────────────────┐
//!  │ 4 GB ┤  ──────●────────■─────   │   places are percentages of the drawing's width
//!  │ 1 GB ┤  ●─────                  │   and pixels of its height, so a narrow screen
//!  │      └──┬─────┬────────┬─────   │   changes lengths and never the size of text
//!  │       64 KiB 1 MiB  16 MiB      │
//!  └─────────────────────────────────┘
//! ```

pub(crate) mod axis;
pub(crate) mod bars;
pub(crate) mod lines;

use super::markup::escaped;

/// Number of colours in `style.css`.
const COLOURS: usize = 8;

/// Space around a drawing that is a file of its own, left of its axis and below it, and the height of a
/// row of its legend.
const AROUND: u32 = 24;
const LEFT: u32 = 84;
const BELOW: u32 = 52;
const ROW: u32 = 20;

/// The width of a file of its own.
const FILE_WIDTH: u32 = 860;

/// A drawing and the words around it.
#[derive(Clone, Debug)]
pub(crate) struct Drawing {
    /// Unique in the page.
    pub(crate) id: String,
    pub(crate) title: String,
    /// What the drawing says, for those who cannot see it.
    pub(crate) description: String,
    pub(crate) legend: Vec<Entry>,
    /// The elements, in a viewport of any width and of `height` pixels.
    pub(crate) body: String,
    pub(crate) height: u32,
    /// Whether labels stand left of the elements and below them.
    pub(crate) has_axes: bool,
}

/// A name of the legend and its mark.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) style: Style,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) colour: usize,
    pub(crate) is_dashed: bool,
    /// A square instead of a circle.
    pub(crate) is_square: bool,
}

impl Style {
    /// Returns the classes of `style.css`.
    fn classes(self) -> String {
        let dashed = if self.is_dashed { " dashed" } else { "" };
        format!("c{}{dashed}", self.colour % COLOURS)
    }
}

impl Drawing {
    /// Returns the chart as part of a page.
    pub(crate) fn figure(&self) -> String {
        let class = if self.has_axes { "plot" } else { "bars" };
        format!(
            "<figure class=\"chart\"><figcaption>{}</figcaption>\n{}{}</figure>\n",
            escaped(&self.title),
            self.legend_list(),
            self.svg(&format!("class=\"{class}\" "), &self.height.to_string()),
        )
    }

    fn svg(&self, attributes: &str, height: &str) -> String {
        let Self {
            id,
            title,
            description,
            body,
            ..
        } = self;
        format!(
            "<svg {attributes}height=\"{height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
             <title id=\"{id}-t\">{}</title>\n<desc id=\"{id}-d\">{}</desc>\n{body}</svg>\n",
            escaped(title),
            escaped(description)
        )
    }

    fn legend_list(&self) -> String {
        if self.legend.is_empty() {
            return String::new();
        }
        let items = self.legend.iter().map(|entry| {
            format!(
                "<li><svg width=\"26\" height=\"12\" aria-hidden=\"true\">{}</svg>{}</li>\n",
                swatch(entry.style, 6),
                escaped(&entry.name)
            )
        });
        format!(
            "<ul class=\"legend\">\n{}</ul>\n",
            items.collect::<String>()
        )
    }
}

impl Drawing {
    /// Returns the chart as a file of its own, with the style of a page.
    pub(crate) fn file(&self, style: &str) -> String {
        let rows = u32::try_from(self.legend.len()).unwrap_or(0) * ROW;
        let top = 2 * AROUND + rows + 16;
        let (left, below) = match self.has_axes {
            true => (LEFT, BELOW),
            false => (AROUND, AROUND),
        };
        let height = top + self.height + below;
        let mut file = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {FILE_WIDTH} {height}\" \
             width=\"{FILE_WIDTH}\" height=\"{height}\">\n<style>{style}</style>\n\
             <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
             <text class=\"name\" x=\"{AROUND}\" y=\"{}\">{}</text>\n",
            AROUND + 8,
            escaped(&self.title)
        );
        for (row, entry) in (0..).zip(&self.legend) {
            let y = 2 * AROUND + row * ROW;
            file += &format!(
                "<svg x=\"{AROUND}\" y=\"{y}\" width=\"26\" height=\"12\">{}</svg>\
                 <text x=\"{}\" y=\"{}\">{}</text>\n",
                swatch(entry.style, 6),
                AROUND + 34,
                y + 10,
                escaped(&entry.name)
            );
        }
        let width = FILE_WIDTH - left - AROUND;
        let place = format!("x=\"{left}\" y=\"{top}\" width=\"{width}\" overflow=\"visible\" ");
        file += &self.svg(&place, &self.height.to_string());
        file + "</svg>\n"
    }
}

/// Returns a sample of a line with its mark.
fn swatch(style: Style, y: u32) -> String {
    let classes = style.classes();
    format!(
        "<line class=\"line {classes}\" x1=\"0\" x2=\"26\" y1=\"{y}\" y2=\"{y}\"/>{}",
        mark(style, "13", &y.to_string(), "")
    )
}

/// Returns a mark at a place, with the text that hovering shows.
fn mark(style: Style, x: &str, y: &str, hover: &str) -> String {
    let classes = style.classes();
    let title = match hover {
        "" => String::new(),
        text => format!("<title>{}</title>", escaped(text)),
    };
    match style.is_square {
        true => format!(
            "<rect class=\"mark {classes}\" x=\"{x}\" y=\"{y}\" width=\"8\" height=\"8\" \
             transform=\"translate(-4,-4)\">{title}</rect>"
        ),
        false => format!(
            "<circle class=\"mark {classes}\" cx=\"{x}\" cy=\"{y}\" r=\"4.5\">{title}</circle>"
        ),
    }
}

/// Returns a part as a percentage.
fn percent(part: f64) -> String {
    format!("{:.2}%", part * 100.0)
}

/// Returns where a text stands on its place, so that it stays inside the drawing.
fn anchor(part: f64) -> &'static str {
    match part {
        ..0.12 => "start",
        ..0.88 => "middle",
        _ => "end",
    }
}
