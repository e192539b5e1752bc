//! Where the demo is shown: on a terminal the timeline scrolls above the live tree, elsewhere it
//! is appended line by line.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::Utc;
use kubectl_lockflight::{RolloutView, Style, Times, render};

/// Back to the first line of the last drawing, and clear from there.
const CLEAR_BELOW: &str = "\u{1b}[J";
/// Long lines of the tree are cut: a wrapped one would take two rows, and the way back up is
/// counted in lines.
const WRAP_OFF: &str = "\u{1b}[?7l";
const WRAP_ON: &str = "\u{1b}[?7h";
const FAINT: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";
/// Rows of the timeline that stay in sight above the tree.
const TIMELINE_ROWS_MIN: usize = 4;

/// What the demo writes to. Writing never fails the demo: a reader who has gone away misses it.
pub(super) struct Stage {
    begun: Instant,
    live: bool,
    color: bool,
    drawing: Mutex<Drawing>,
}

#[derive(Default)]
struct Drawing {
    view: Option<RolloutView>,
    footer: String,
    /// Rows below the timeline, to be drawn over.
    rows: usize,
    /// Whether the last tree has been left as text.
    closed: bool,
}

impl Stage {
    pub(super) fn open() -> Self {
        let terminal = io::stdout().is_terminal();
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            begun: Instant::now(),
            live: terminal && !dumb,
            color: terminal && !dumb && !plain,
            drawing: Mutex::default(),
        }
    }

    /// Whether a tree is kept up to date, so that redrawing it makes sense.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// When the demo began.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// A line of the timeline: who, and what happened to it.
    pub(super) fn tell(&self, subject: &str, text: &str) {
        let time = format!("{:>6.1} s", self.begun.elapsed().as_secs_f64());
        self.append(&format!("{}  {subject:<5}  {text}\n", self.faint(&time)));
    }

    /// Text that stays, without a time.
    pub(super) fn print(&self, text: &str) {
        self.append(text);
    }

    /// What the tree shows from now on.
    pub(super) fn show(&self, view: RolloutView) {
        let mut drawing = self.drawing();
        if !drawing.closed {
            drawing.view = Some(view);
            self.draw(&mut drawing, "");
        }
    }

    /// The line below the tree.
    pub(super) fn set_footer(&self, footer: String) {
        let mut drawing = self.drawing();
        drawing.footer = footer;
        self.draw(&mut drawing, "");
    }

    /// Takes the live part away and leaves the last tree as text.
    pub(super) fn leave_tree(&self) {
        let mut drawing = self.drawing();
        drawing.closed = true;
        let Some(view) = drawing.view.take() else {
            return;
        };
        let tree = format!("\n{}\n", self.tree(&view));
        self.draw(&mut drawing, &tree);
    }

    fn faint(&self, text: &str) -> String {
        if self.color { format!("{FAINT}{text}{PLAIN}") } else { text.to_owned() }
    }

    fn append(&self, text: &str) {
        self.draw(&mut self.drawing(), text);
    }

    fn tree(&self, view: &RolloutView) -> String {
        let style = Style { color: self.color, ascii: false, times: Times::Relative };
        render(view, Utc::now(), style)
    }

    /// Writes `text` above the live part, and the live part anew.
    fn draw(&self, drawing: &mut Drawing, text: &str) {
        let mut out = io::stdout().lock();
        if !self.live {
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            return;
        }
        let mut lines = Vec::new();
        if let Some(view) = &drawing.view {
            let tree = self.tree(view);
            lines.push(String::new());
            lines.extend(tree.lines().map(str::to_owned));
            lines.push(self.faint(&drawing.footer));
            lines.truncate(room());
        }
        let up = match drawing.rows {
            0 => String::new(),
            rows => format!("\r\u{1b}[{rows}A{CLEAR_BELOW}"),
        };
        drawing.rows = lines.len();
        let live: String = lines.into_iter().map(|line| line + "\n").collect();
        let (off, on) = if live.is_empty() { ("", "") } else { (WRAP_OFF, WRAP_ON) };
        let whole = format!("{up}{text}{off}{live}{on}");
        let _ = out.write_all(whole.as_bytes()).and_then(|()| out.flush());
    }

    /// Nothing that holds the lock can panic.
    fn drawing(&self) -> MutexGuard<'_, Drawing> {
        self.drawing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows for the live part.
fn room() -> usize {
    let rows = terminal_size::terminal_size().map_or(24, |(_, rows)| usize::from(rows.0));
    rows.saturating_sub(TIMELINE_ROWS_MIN + 1).max(2)
}
