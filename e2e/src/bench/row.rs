//! Lines of the result.

use super::spread::{Spread, number};

/// Rows of more values are shown by their spread alone.
const SHOWN_MAX: usize = 100;

/// What a figure may be at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) median: f64,
    pub(super) max: Option<f64>,
}

impl Target {
    pub(super) const fn median(median: f64) -> Self {
        Self { median, max: None }
    }

    fn text(self) -> String {
        let max = self.max.map(|max| format!(", max {}", number(max)));
        format!("≤ {}{}", number(self.median), max.unwrap_or_default())
    }

    fn judge(self, spread: &Spread) -> String {
        let over = |limit: f64, value: Option<f64>| value.map_or(f64::NAN, |value| value - limit);
        let misses: Vec<String> = [
            (self.median, spread.median(), "median"),
            (self.max.unwrap_or(f64::INFINITY), spread.max(), "max"),
        ]
        .into_iter()
        .map(|(limit, value, what)| (over(limit, value), what))
        // Nothing measured is a miss, too.
        .filter(|(over, _)| over.is_nan() || *over > 0.0)
        .map(|(over, what)| format!("{what} by {}", number(over)))
        .collect();
        if misses.is_empty() { "hit".to_owned() } else { format!("MISS: {}", misses.join(", ")) }
    }
}

/// What the incumbents need for the same, as text (see `incumbents`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Incumbents {
    pub(super) argo: &'static str,
    pub(super) flagger: &'static str,
    pub(super) kubefleet: &'static str,
}

/// One figure.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) spread: Spread,
    pub(super) target: Option<Target>,
    pub(super) incumbents: Incumbents,
}

impl Row {
    pub(super) fn new(name: &'static str, incumbents: Incumbents) -> Self {
        Self { name, spread: Spread::default(), target: None, incumbents }
    }

    pub(super) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }
}

/// What one part of the bench has found out.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    pub(super) rows: Vec<Row>,
    pub(super) notes: Vec<String>,
}

impl Findings {
    pub(super) fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.notes.extend(other.notes);
    }

    /// The table, then every single value, then the notes.
    pub(super) fn print(&self) {
        if !self.rows.is_empty() {
            self.print_rows();
        }
        println!();
        for note in &self.notes {
            println!("- {note}");
        }
    }

    fn print_rows(&self) {
        let head = [
            "",
            "min",
            "median",
            "max",
            "runs",
            "target",
            "",
            "Argo Rollouts",
            "Flagger",
            "KubeFleet",
        ];
        let mut lines = vec![head.map(str::to_owned)];
        for row in &self.rows {
            let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
            let spread = &row.spread;
            lines.push([
                row.name.to_owned(),
                cell(spread.min()),
                cell(spread.median()),
                cell(spread.max()),
                spread.len().to_string(),
                row.target.map(Target::text).unwrap_or_default(),
                row.target.map(|target| target.judge(spread)).unwrap_or_default(),
                row.incumbents.argo.to_owned(),
                row.incumbents.flagger.to_owned(),
                row.incumbents.kubefleet.to_owned(),
            ]);
        }
        let widths: Vec<usize> = (0..head.len())
            .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
            .collect();
        println!();
        for line in &lines {
            let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        println!("\nevery value, in the order of the runs:");
        for row in self.rows.iter().filter(|row| row.spread.len() <= SHOWN_MAX) {
            println!("  {}: {}", row.name, row.spread);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Spread, Target};

    #[test]
    fn a_target_is_missed_by_its_median_or_its_maximum() {
        let spread: Spread = [0.2, 0.3, 1.5].into_iter().collect();
        assert_eq!(Target::median(0.3).judge(&spread), "hit");
        assert_eq!(Target::median(0.2).judge(&spread), "MISS: median by 0.10");
        let both = Target { median: 0.3, max: Some(1.0) };
        assert_eq!(
            (both.text().as_str(), both.judge(&spread).as_str()),
            ("≤ 0.30, max 1", "MISS: max by 0.50")
        );
        assert!(Target::median(1.0).judge(&Spread::default()).starts_with("MISS"));
    }
}
