//! Where a followed rollout is drawn: in place on a terminal, line after line elsewhere.

use std::{
    collections::HashSet,
    io::{self, Write},
};

use chrono::{DateTime, Utc};

/// Back to the first line of the last drawing, and clear from there.
const CLEAR_BELOW: &str = "\u{1b}[J";
/// Long lines are cut by the terminal while we draw: a wrapped one would take two rows, and the
/// way back up is counted in lines.
const WRAP_OFF: &str = "\u{1b}[?7l";
const WRAP_ON: &str = "\u{1b}[?7h";

/// Draws in place.
#[derive(Debug, Default)]
pub(super) struct Screen {
    rows: usize,
}

impl Screen {
    /// Replaces what was drawn last. A terminal of `height` rows shows the first of them.
    pub(super) fn draw(
        &mut self,
        out: &mut impl Write,
        text: &str,
        height: Option<usize>,
    ) -> io::Result<()> {
        let mut lines: Vec<&str> = text.lines().collect();
        // The cursor rests on a row of its own below the drawing.
        let room = height.map_or(usize::MAX, |height| height.saturating_sub(1).max(2));
        let more;
        if lines.len() > room {
            more = format!("({} more lines)", lines.len() - (room - 1));
            lines.truncate(room - 1);
            lines.push(&more);
        }
        let up = match self.rows {
            0 => "\r".to_owned(),
            rows => format!("\r\u{1b}[{rows}A"),
        };
        self.rows = lines.len();
        write!(out, "{up}{CLEAR_BELOW}{WRAP_OFF}{}\n{WRAP_ON}", lines.join("\n"))?;
        out.flush()
    }
}

/// Appends what has changed.
#[derive(Debug, Default)]
pub(super) struct Log {
    last: HashSet<String>,
}

impl Log {
    /// Writes the lines that the last drawing did not have.
    pub(super) fn append(
        &mut self,
        out: &mut impl Write,
        text: &str,
        now: DateTime<Utc>,
    ) -> io::Result<()> {
        for line in text.lines().filter(|line| !self.last.contains(*line)) {
            writeln!(out, "{} {line}", now.format("%H:%M:%SZ"))?;
        }
        self.last = text.lines().map(str::to_owned).collect();
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_back_up_by_what_it_drew() {
        let mut screen = Screen::default();
        let mut out = Vec::new();
        screen.draw(&mut out, "a\nb\nc\n", Some(24)).unwrap();
        assert_eq!(String::from_utf8_lossy(&out), "\r\u{1b}[J\u{1b}[?7la\nb\nc\n\u{1b}[?7h");
        out.clear();
        screen.draw(&mut out, "a\nb\nc\nd\n", Some(4)).unwrap();
        let drawn = "\r\u{1b}[3A\u{1b}[J\u{1b}[?7la\nb\n(2 more lines)\n\u{1b}[?7h";
        assert_eq!(String::from_utf8_lossy(&out), drawn);
    }

    #[test]
    fn appends_only_what_changed() {
        let mut log = Log::default();
        let mut out = Vec::new();
        log.append(&mut out, "head\nfive\n", DateTime::UNIX_EPOCH).unwrap();
        log.append(&mut out, "head\nten\n", DateTime::UNIX_EPOCH).unwrap();
        let text = String::from_utf8_lossy(&out).replace("00:00:00Z ", "");
        assert_eq!(text, "head\nfive\nten\n");
    }
}
