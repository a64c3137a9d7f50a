//! The live view on a terminal.
#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keymill::{Error, ErrorKind, Result};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text;
use ratatui::widgets::{Paragraph, Widget};

use super::client;
use super::frame::{self, Line, Look};
use super::sample::Sample;
use crate::args::TopArgs;
use crate::exit;

/// How often signals are looked for.
const STEP: Duration = Duration::from_millis(100);

/// Shows frames until `q` is pressed, or until a signal.
pub(super) fn run(args: &TopArgs) -> Result<i32> {
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    exit::on_signals(move || over.store(true, Ordering::Relaxed));
    let failed = |cause: io::Error| {
        let message = "cannot draw on the terminal; use --once";
        Error::new(ErrorKind::Sink, message).with_source(cause)
    };
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let mut view = View::default();
    let shown = loop {
        view.update(client::sample(&args.address));
        let next = Instant::now() + args.every;
        let drawn =
            terminal.draw(|frame| view.render(&args.address, frame.area(), frame.buffer_mut()));
        match drawn.and_then(|_| wait(next, &is_over)) {
            Ok(Next::Frame) => {}
            Ok(Next::End) => break Ok(exit::DONE),
            Err(error) => break Err(failed(error)),
        }
    };
    ratatui::restore();
    shown
}

enum Next {
    Frame,
    End,
}

/// Waits for the time of the next frame, for a key or for a signal.
fn wait(next: Instant, is_over: &AtomicBool) -> io::Result<Next> {
    loop {
        if is_over.load(Ordering::Relaxed) {
            return Ok(Next::End);
        }
        let left = next.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Next::Frame);
        }
        if event::poll(left.min(STEP))? {
            match event::read()? {
                Event::Key(key) if ends(key) => return Ok(Next::End),
                Event::Resize(..) => return Ok(Next::Frame),
                _ => {}
            }
        }
    }
}

fn ends(key: KeyEvent) -> bool {
    let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
    let ends = match key.code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => with_control,
        _ => false,
    };
    ends && key.kind == KeyEventKind::Press
}

/// What is known of the stream.
#[derive(Default)]
struct View {
    now: Option<Sample>,
    before: Option<Sample>,
    error: Option<Error>,
}

impl View {
    fn update(&mut self, sample: Result<Sample>) {
        match sample {
            Ok(sample) => {
                self.before = self.now.replace(sample);
                self.error = None;
            }
            // What was known stays on the screen. Rates begin anew when the stream is back.
            Err(error) => {
                self.before = None;
                self.error = Some(error);
            }
        }
    }

    fn render(&self, address: &str, area: Rect, buffer: &mut Buffer) {
        let mut lines: Vec<text::Line<'_>> = Vec::new();
        if let Some(error) = &self.error {
            let alarm = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
            lines.push(text::Line::styled(format!("{error}; trying again"), alarm));
        }
        if let Some(now) = &self.now {
            let all = frame::lines(address, now, self.before.as_ref()).into_iter();
            let is_gone = self.error.is_some();
            lines.extend(
                all.skip(usize::from(is_gone))
                    .map(|line| styled(line, is_gone)),
            );
        }
        lines.push(text::Line::default());
        lines.push(text::Line::styled("q quits", Modifier::DIM));
        Paragraph::new(lines).render(area, buffer);
    }
}

fn styled(line: Line, is_gone: bool) -> text::Line<'static> {
    let style = match line.look {
        _ if is_gone => Style::new().add_modifier(Modifier::DIM),
        Look::Plain => Style::new(),
        Look::Heading => Style::new().add_modifier(Modifier::BOLD),
        Look::Alarm => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    };
    text::Line::styled(line.text, style)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample(run: &str) -> Sample {
        Sample {
            taken: Instant::now(),
            metrics: [("keymill_epochs_total".to_owned(), 3.0)].into(),
            progress: json!({"id": "8f", "runId": run, "batchId": 2}),
            is_healthy: true,
            status: "waiting for data".to_owned(),
        }
    }

    fn drawn(view: &View, width: u16, height: u16) -> String {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        view.render("h:1", area, &mut buffer);
        let cells = buffer.content().chunks(usize::from(width.max(1)));
        let rows = cells.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
        rows.map(|row| row.trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn a_stream_that_is_gone_stays_on_the_screen_until_it_is_back() {
        let mut view = View::default();
        let gone = || Err(Error::new(ErrorKind::Source, "nobody answers"));
        view.update(gone());
        assert!(drawn(&view, 60, 20).starts_with("nobody answers; trying again\n\nq quits\n"));
        view.update(Ok(sample("1")));
        assert!(
            drawn(&view, 60, 20)
                .starts_with("keymill top   h:1   waiting for data\nquery    8f   epoch 2")
        );
        view.update(gone());
        assert!(
            drawn(&view, 60, 20).starts_with("nobody answers; trying again\nquery    8f   epoch 2")
        );
        view.update(Ok(sample("2")));
        let text = drawn(&view, 60, 20);
        assert!(
            text.starts_with("keymill top") && !text.contains("nobody"),
            "{text}"
        );
    }

    #[test]
    fn small_terminals_show_what_fits() {
        let mut view = View::default();
        view.update(Ok(sample("1")));
        for (width, height) in [(0, 0), (1, 1), (5, 2), (20, 3), (300, 100)] {
            let text = drawn(&view, width, height);
            assert!(text.lines().count() <= usize::from(height));
        }
        assert_eq!(drawn(&view, 11, 1), "keymill top\n");
    }

    #[test]
    fn keys_end_the_view() {
        let key = |code, modifiers| ends(KeyEvent::new(code, modifiers));
        let (none, control) = (KeyModifiers::NONE, KeyModifiers::CONTROL);
        assert!(key(KeyCode::Char('q'), none) && key(KeyCode::Esc, none));
        assert!(key(KeyCode::Char('c'), control) && !key(KeyCode::Char('c'), none));
        assert!(!key(KeyCode::Enter, none));
    }
}
