//! A chart of horizontal bars, each made of parts.

use std::fmt::Write;

use super::{Drawing, Entry, Style, percent};
use crate::html::markup::escaped;

/// Pixels of a row: its name, its bar, its figure, and the space below. The name and the figure have
/// lines of their own, because a phone has no room for both on one.
const ROW: u32 = 62;
const NAME: u32 = 15;
const BAR: u32 = 16;
const FIGURE: u32 = NAME + BAR + 18;

/// Maximum number of characters of a name on a phone.
const MOST_NAME: usize = 46;

/// A row with the parts of its bar.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// The figure in words, which stands below the bar.
    pub(crate) figure: String,
    /// Each part: its number in the legend, its length, and its figure in words.
    pub(crate) parts: Vec<(usize, f64, String)>,
}

/// A chart of bars.
#[derive(Clone, Debug)]
pub(crate) struct Bars {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) description: String,
    /// The names of the parts; none if each bar has one part.
    pub(crate) legend: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

impl Bars {
    pub(crate) fn draw(&self) -> Drawing {
        let lengths = self.rows.iter().map(Row::length);
        let most = lengths.fold(f64::MIN_POSITIVE, f64::max);
        let mut body = String::new();
        for (row, number) in self.rows.iter().zip(0..) {
            row.draw(&mut body, number * ROW, most);
        }
        let legend = self.legend.iter().enumerate().map(|(colour, name)| Entry {
            name: name.clone(),
            style: Style {
                colour,
                is_square: true,
                ..Style::default()
            },
        });
        Drawing {
            id: self.id.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            legend: legend.collect(),
            body,
            height: ROW * u32::try_from(self.rows.len()).unwrap_or(0),
            has_axes: false,
        }
    }
}

impl Row {
    fn length(&self) -> f64 {
        self.parts.iter().map(|(_, length, _)| length).sum()
    }

    fn draw(&self, body: &mut String, top: u32, most: f64) {
        let _ = writeln!(
            body,
            "<text x=\"0\" y=\"{}\">{}</text><text class=\"figure\" x=\"0\" y=\"{}\">{}</text>\
             <rect class=\"track\" x=\"0\" y=\"{}\" width=\"100%\" height=\"{BAR}\"/>",
            top + NAME - 3,
            escaped(&short(&self.name)),
            top + FIGURE,
            escaped(&self.figure),
            top + NAME + 3,
        );
        let mut left = 0.0;
        for (colour, length, words) in &self.parts {
            let style = Style {
                colour: *colour,
                ..Style::default()
            };
            let _ = writeln!(
                body,
                "<rect class=\"bar {}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{BAR}\">\
                 <title>{}</title></rect>",
                style.classes(),
                percent(left / most),
                top + NAME + 3,
                percent(length / most),
                escaped(&format!("{}: {words}", self.name))
            );
            left += length;
        }
    }
}

/// Returns a name that fits a phone.
fn short(name: &str) -> String {
    match name.chars().nth(MOST_NAME) {
        None => name.to_owned(),
        Some(_) => name.chars().take(MOST_NAME - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_side_by_side() {
        let parts = |lengths: &[f64]| {
            let numbered = lengths.iter().enumerate();
            numbered
                .map(|(at, it)| (at, *it, format!("{it} s")))
                .collect()
        };
        let row = |name: &str, lengths| Row {
            name: name.to_owned(),
            figure: String::new(),
            parts: parts(lengths),
        };
        let bars = Bars {
            id: "b".to_owned(),
            title: "Time".to_owned(),
            description: "Two bars.".to_owned(),
            legend: vec!["copy".to_owned(), "work".to_owned()],
            rows: vec![row("first", &[1.0, 3.0]), row("second", &[2.0])],
        };
        let figure = bars.draw().figure();
        assert!(
            figure.contains("x=\"0.00%\" y=\"18\" width=\"25.00%\""),
            "{figure}"
        );
        assert!(figure.contains("x=\"25.00%\" y=\"18\" width=\"75.00%\""));
        assert!(figure.contains("x=\"0.00%\" y=\"80\" width=\"50.00%\""));
        assert!(figure.contains("<title>first: 3 s</title>"));
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(short("é"), "é");
        let long = short(&"é".repeat(99));
        assert!(long.ends_with("é…") && long.chars().count() == MOST_NAME);
    }

    #[test]
    fn bars_without_length_are_drawn() {
        let bars = Bars {
            id: String::new(),
            title: String::new(),
            description: String::new(),
            legend: vec![],
            rows: vec![Row {
                name: "nothing".to_owned(),
                figure: String::new(),
                parts: vec![(0, 0.0, String::new())],
            }],
        };
        assert!(bars.draw().figure().contains("width=\"0.00%\""));
    }
}
