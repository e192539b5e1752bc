//! How the tree is drawn: glyphs, colours, times.

use chrono::{DateTime, Utc};

use super::time::span;

/// How the tree is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour. Colour only repeats what glyph and word say.
    pub color: bool,
    /// Whether to keep to ASCII.
    pub ascii: bool,
    /// How times are written.
    pub times: Times,
}

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Relative to now, for a screen that is redrawn.
    Relative,
    /// As times of day in UTC, for lines that stay.
    Absolute,
}

/// What a piece of text means.
#[derive(Debug, Clone, Copy)]
pub(super) enum Paint {
    Good,
    Bad,
    Moving,
    Waiting,
    Faint,
    Strong,
}

/// Glyphs of the tree; each stands beside a word that says the same.
pub(super) struct Glyphs {
    pub(super) good: &'static str,
    pub(super) bad: &'static str,
    pub(super) moving: &'static str,
    pub(super) person: &'static str,
    pub(super) wait: &'static str,
    pub(super) pending: &'static str,
    pub(super) unknown: &'static str,
    pub(super) back: &'static str,
    pub(super) arrow: &'static str,
    pub(super) fork: &'static str,
    pub(super) last: &'static str,
    pub(super) pass: &'static str,
    pub(super) gap: &'static str,
    pub(super) full: char,
    pub(super) empty: char,
}

/// Glyphs that nearly every terminal font has.
const UNICODE: Glyphs = Glyphs {
    good: "✔",
    bad: "✖",
    moving: "◌",
    person: "‖",
    wait: "…",
    pending: "·",
    unknown: "?",
    back: "↩",
    arrow: "→",
    fork: "├─ ",
    last: "└─ ",
    pass: "│  ",
    gap: "   ",
    full: '█',
    empty: '░',
};

/// The same in ASCII, column for column.
const ASCII: Glyphs = Glyphs {
    good: "+",
    bad: "x",
    moving: "o",
    person: "=",
    wait: "~",
    pending: ".",
    unknown: "?",
    back: "<",
    arrow: "->",
    fork: "|- ",
    last: "`- ",
    pass: "|  ",
    gap: "   ",
    full: '#',
    empty: '.',
};

/// A style at a moment.
pub(super) struct Pen {
    pub(super) style: Style,
    pub(super) now: DateTime<Utc>,
}

impl Pen {
    pub(super) fn glyphs(&self) -> &'static Glyphs {
        if self.style.ascii { &ASCII } else { &UNICODE }
    }

    pub(super) fn paint(&self, paint: Paint, text: &str) -> String {
        if !self.style.color {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Good => "32",
            Paint::Bad => "31",
            Paint::Moving => "36",
            Paint::Waiting => "33",
            Paint::Faint => "2",
            Paint::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// A moment in the past.
    pub(super) fn ago(&self, moment: DateTime<Utc>) -> String {
        match self.style.times {
            Times::Relative => format!("{} ago", span(self.now - moment)),
            Times::Absolute => clock(moment),
        }
    }

    /// Since a moment in the past.
    pub(super) fn lasting(&self, moment: DateTime<Utc>) -> String {
        match self.style.times {
            Times::Relative => format!("for {}", span(self.now - moment)),
            Times::Absolute => format!("since {}", clock(moment)),
        }
    }

    /// A moment that is meant to come.
    pub(super) fn ahead(&self, moment: DateTime<Utc>) -> String {
        match self.style.times {
            Times::Relative if moment <= self.now => "now".to_owned(),
            Times::Relative => format!("in {}", span(moment - self.now)),
            Times::Absolute => clock(moment),
        }
    }

    /// A share of the traffic as a bar of ten cells.
    pub(super) fn bar(&self, weight: u8) -> String {
        /// Cells of the bar.
        const CELLS: usize = 10;
        let glyphs = self.glyphs();
        // A share above nothing is never drawn as nothing.
        let full = (usize::from(weight) * CELLS).div_ceil(100).min(CELLS);
        (0..CELLS).map(|cell| if cell < full { glyphs.full } else { glyphs.empty }).collect()
    }
}

fn clock(moment: DateTime<Utc>) -> String {
    moment.format("%H:%M:%SZ").to_string()
}
