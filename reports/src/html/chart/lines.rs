//! A chart of lines, with the spread of each point and named guides.

use std::fmt::Write;

use super::axis::Axis;
use super::{Drawing, Entry, Style, anchor, mark, percent};
use crate::html::markup::escaped;

/// Height of the drawing in pixels.
const HEIGHT: u32 = 280;

/// A line and its points.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) style: Style,
    pub(crate) form: Form,
    pub(crate) points: Vec<Point>,
}

/// What of a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Both,
    Line,
    Marks,
}

/// A point and its spread.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// The least and the most of all runs.
    pub(crate) range: (f64, f64),
    /// The figures in words.
    pub(crate) hover: String,
}

/// A named line across the whole drawing.
#[derive(Clone, Debug)]
pub(crate) enum Guide {
    /// At a value of the horizontal axis.
    At(f64, String),
    /// At a value of the vertical axis.
    Level(f64, String),
}

/// A chart of lines.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
    pub(crate) guides: Vec<Guide>,
}

impl Lines {
    /// Returns the drawing, unless it has no point.
    pub(crate) fn drawing(&self) -> Option<Drawing> {
        let mut points = self.series.iter().flat_map(|it| &it.points);
        points.next().map(|_| self.draw())
    }

    fn draw(&self) -> Drawing {
        let mut body = String::new();
        self.grid(&mut body);
        for guide in &self.guides {
            self.guide(&mut body, guide);
        }
        for series in self.series.iter().filter(|it| it.form != Form::Marks) {
            self.line(&mut body, series);
        }
        // Marks stand above all lines, so that each can be hovered over.
        for series in self.series.iter().filter(|it| it.form != Form::Line) {
            self.marks(&mut body, series);
        }
        let legend = self.series.iter().map(|series| Entry {
            name: series.name.clone(),
            style: series.style,
        });
        Drawing {
            id: self.id.clone(),
            title: self.title.clone(),
            description: self.description.clone(),
            legend: legend.collect(),
            body,
            height: HEIGHT,
            has_axes: true,
        }
    }

    fn grid(&self, body: &mut String) {
        for (part, label) in self.y.ticks() {
            let y = high(part);
            let _ = writeln!(
                body,
                "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/>\
                 <text x=\"-8\" y=\"{y}\" dy=\"4\" text-anchor=\"end\">{}</text>",
                escaped(label)
            );
        }
        for (part, label) in self.x.ticks() {
            let x = percent(part);
            let _ = writeln!(
                body,
                "<line class=\"tick\" x1=\"{x}\" x2=\"{x}\" y1=\"{HEIGHT}\" y2=\"{}\"/>\
                 <text x=\"{x}\" y=\"{}\" text-anchor=\"{}\">{}</text>",
                HEIGHT + 5,
                HEIGHT + 19,
                anchor(part),
                escaped(label)
            );
        }
        let _ = writeln!(
            body,
            "<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"{HEIGHT}\" y2=\"{HEIGHT}\"/>\
             <text class=\"unit\" x=\"100%\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <text class=\"unit\" x=\"-68\" y=\"-12\">{}</text>",
            HEIGHT + 38,
            escaped(self.x.title()),
            escaped(self.y.title())
        );
    }

    fn guide(&self, body: &mut String, guide: &Guide) {
        let _ = match guide {
            Guide::At(value, name) => {
                let part = self.x.place(*value);
                let (x, end) = (percent(part), part > 0.5);
                writeln!(
                    body,
                    "<line class=\"guide\" x1=\"{x}\" x2=\"{x}\" y1=\"0\" y2=\"{HEIGHT}\"/>\
                     <text class=\"note\" x=\"{x}\" dx=\"{}\" y=\"14\" text-anchor=\"{}\">{}</text>",
                    if end { -6 } else { 6 },
                    if end { "end" } else { "start" },
                    escaped(name)
                )
            }
            Guide::Level(value, name) => {
                let y = high(self.y.place(*value));
                writeln!(
                    body,
                    "<line class=\"guide\" x1=\"0\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/>\
                     <text class=\"note\" x=\"100%\" dx=\"-4\" y=\"{y}\" dy=\"-5\" \
                     text-anchor=\"end\">{}</text>",
                    escaped(name)
                )
            }
        };
    }

    fn line(&self, body: &mut String, series: &Series) {
        let classes = series.style.classes();
        for pair in series.points.windows(2) {
            let [from, to] = [&pair[0], &pair[1]];
            let _ = writeln!(
                body,
                "<line class=\"line {classes}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
                percent(self.x.place(from.x)),
                high(self.y.place(from.y)),
                percent(self.x.place(to.x)),
                high(self.y.place(to.y))
            );
        }
    }

    fn marks(&self, body: &mut String, series: &Series) {
        let classes = series.style.classes();
        for point in &series.points {
            let x = percent(self.x.place(point.x));
            let (low, most) = point.range;
            let (low, most) = (high(self.y.place(low)), high(self.y.place(most)));
            if low != most {
                let _ = writeln!(
                    body,
                    "<line class=\"range {classes}\" x1=\"{x}\" x2=\"{x}\" y1=\"{low}\" y2=\"{most}\"/>"
                );
            }
            let y = high(self.y.place(point.y));
            *body += &mark(
                series.style,
                &x,
                &y,
                &format!("{}, {}", series.name, point.hover),
            );
            body.push('\n');
        }
    }
}

/// Returns the place of a part of the vertical axis, in pixels from the top.
fn high(part: f64) -> String {
    format!("{:.1}", f64::from(HEIGHT) * (1.0 - part))
}

#[cfg(test)]
mod tests {
    use super::super::axis::BESIDE;
    use super::*;

    fn plain(value: f64) -> String {
        format!("{value}")
    }

    fn chart() -> Lines {
        let point = |x, y| Point {
            x,
            y,
            range: (y / 2.0, y),
            hover: format!("{x} at {y}"),
        };
        Lines {
            id: "a".to_owned(),
            title: "One < two".to_owned(),
            description: "It grows.".to_owned(),
            x: Axis::at("size", &[1.0, 4.0], plain),
            y: Axis::log("rate", &[0.5, 4.0], plain, BESIDE),
            series: vec![Series {
                name: "A & B".to_owned(),
                style: Style {
                    colour: 9,
                    is_dashed: true,
                    is_square: true,
                },
                form: Form::Both,
                points: vec![point(1.0, 1.0), point(2.0, 2.0), point(4.0, 4.0)],
            }],
            guides: vec![
                Guide::At(2.0, "even".to_owned()),
                Guide::Level(4.0, "memory".to_owned()),
            ],
        }
    }

    #[test]
    fn points_stand_where_the_axes_say() {
        let figure = chart().draw().figure();
        assert!(figure.contains("x=\"50.00%\" y=\"111.4\""), "{figure}");
        assert!(
            figure.contains("<title>A &amp; B, 2 at 2</title>"),
            "{figure}"
        );
        assert_eq!(
            figure.matches("class=\"line c1 dashed\"").count(),
            3,
            "two parts, one sample"
        );
        assert_eq!(figure.matches("class=\"range c1 dashed\"").count(), 3);
    }

    #[test]
    fn a_chart_has_a_name_and_a_description() {
        let figure = chart().draw().figure();
        assert!(figure.contains("<title id=\"a-t\">One &lt; two</title>"));
        assert!(figure.contains("<desc id=\"a-d\">It grows.</desc>"));
        assert!(figure.contains("role=\"img\" aria-labelledby=\"a-t a-d\""));
    }

    #[test]
    fn a_file_of_its_own_has_its_colours_and_its_legend() {
        let file = chart().draw().file(":root {}");
        assert!(file.starts_with("<svg xmlns=") && file.contains("<style>:root {}</style>"));
        assert!(file.contains(">A &amp; B</text>"));
        roxmltree::Document::parse(&file).unwrap();
    }
}
