//! The result: each group of releases, ours beside the gates of others, and the bars.

use super::super::spread::{Spread, number};

/// How much worse a release is than the one before, in its share of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Equal,
    Twice,
    FiveTimes,
}

impl Group {
    pub(super) const ALL: [Self; 3] = [Self::Equal, Self::Twice, Self::FiveTimes];

    pub(super) fn factor(self) -> f64 {
        match self {
            Self::Equal => 1.0,
            Self::Twice => 2.0,
            Self::FiveTimes => 5.0,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Equal => "as good as stable",
            Self::Twice => "twice the errors",
            Self::FiveTimes => "five times the errors",
        }
    }

    /// What is wrong with how its releases have ended, if something is.
    fn miss(self, count: &Count) -> Option<String> {
        let all = count.promoted + count.aborted + count.open;
        let (hit, bar) = match self {
            Self::Equal => (10 * count.promoted >= 9 * all, "at least nine of ten promoted"),
            Self::Twice => (count.promoted == 0, "none promoted"),
            Self::FiveTimes => (count.aborted == all, "all aborted"),
        };
        // Nothing measured is a miss, too.
        (!hit || all == 0).then(|| {
            format!(
                "{}: {bar} was the bar; of {all} promoted {}, aborted {}, undecided {}",
                self.name(),
                count.promoted,
                count.aborted,
                count.open
            )
        })
    }
}

/// How a release ended under a judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Promoted,
    Aborted,
    /// Ours asked for a person. Another's had not failed when ours ended the release otherwise.
    Open,
}

/// What a judge made of a release.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) ending: Ending,
    /// From the canary's first request until the verdict.
    pub(super) seconds: Option<f64>,
    /// Failed requests beyond stable's rate until then; where it is open, so far.
    pub(super) excess: f64,
}

/// One release.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) group: Group,
    pub(super) number: u32,
    /// Ours first, then in the order of [`JUDGES`].
    pub(super) verdicts: [Verdict; JUDGES.len()],
    /// Ours in its own words.
    pub(super) sentence: String,
}

/// Who judges.
pub(super) const JUDGES: [&str; 3] = ["Lockflight", "Argo ≥ 99 %, limit 0", "Argo ≥ 99 %, limit 3"];
/// The `failureLimit` of those who are not us.
pub(super) const FAILURE_LIMITS: [i64; JUDGES.len() - 1] = [0, 3];

#[derive(Debug, Default)]
struct Count {
    promoted: usize,
    aborted: usize,
    open: usize,
}

impl Count {
    fn of<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Self {
        let mut count = Self::default();
        for verdict in verdicts {
            match verdict.ending {
                Ending::Promoted => count.promoted += 1,
                Ending::Aborted => count.aborted += 1,
                Ending::Open => count.open += 1,
            }
        }
        count
    }
}

/// The bars that are missed, each in a sentence.
pub(super) fn misses(trials: &[Trial]) -> Vec<String> {
    let ours = |group| {
        let of_group = trials.iter().filter(move |trial| trial.group == group);
        Count::of(of_group.map(|trial| &trial.verdicts[0]))
    };
    Group::ALL.into_iter().filter_map(|group| group.miss(&ours(group))).collect()
}

/// The table's lines, its head first.
pub(super) fn lines(trials: &[Trial]) -> Vec<[String; 7]> {
    let head = [
        "releases",
        "judge",
        "promoted",
        "aborted",
        "undecided",
        "seconds to the verdict",
        "failed requests beyond stable's rate",
    ];
    let mut lines = vec![head.map(str::to_owned)];
    for group in Group::ALL {
        let of_group: Vec<&Trial> = trials.iter().filter(|trial| trial.group == group).collect();
        for (index, judge) in JUDGES.into_iter().enumerate() {
            let verdicts = || of_group.iter().filter_map(|trial| trial.verdicts.get(index));
            let count = Count::of(verdicts());
            let name = if index == 0 { group.name() } else { "" };
            lines.push([
                name.to_owned(),
                judge.to_owned(),
                count.promoted.to_string(),
                count.aborted.to_string(),
                count.open.to_string(),
                range(verdicts().filter_map(|verdict| verdict.seconds)),
                range(verdicts().map(|verdict| verdict.excess)),
            ]);
        }
    }
    lines
}

/// Minimum, median and maximum.
fn range(values: impl Iterator<Item = f64>) -> String {
    let spread: Spread = values.map(f64::round).collect();
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    format!("{} / {} / {}", cell(spread.min()), cell(spread.median()), cell(spread.max()))
}

/// In columns.
pub(super) fn print(lines: &[[String; 7]]) {
    let width = |column: usize| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..7).map(width).collect();
    println!();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(group: Group, endings: &[Ending]) -> Vec<Trial> {
        let verdict = |ending, seconds| Verdict { ending, seconds, excess: -0.4 };
        let trial = |(number, ending): (u32, &Ending)| Trial {
            group,
            number,
            verdicts: [
                verdict(*ending, Some(f64::from(number) * 10.0)),
                verdict(Ending::Aborted, Some(4.0)),
                verdict(Ending::Open, None),
            ],
            sentence: String::new(),
        };
        (1..).zip(endings).map(trial).collect()
    }

    use Ending::{Aborted, Open, Promoted};

    #[test]
    fn each_group_has_its_bar() {
        let nine = [[Promoted; 9].as_slice(), &[Open]].concat();
        let eight = [[Promoted; 8].as_slice(), &[Open, Aborted]].concat();
        for (group, endings, hit) in [
            (Group::Equal, nine.as_slice(), true),
            (Group::Equal, &eight, false),
            (Group::Equal, &[Promoted], true),
            (Group::Equal, &[], false),
            (Group::Twice, &[Open, Aborted], true),
            (Group::Twice, &[Open, Promoted], false),
            (Group::FiveTimes, &[Aborted, Aborted], true),
            (Group::FiveTimes, &[Aborted, Open], false),
        ] {
            let count = Count::of(trials(group, endings).iter().map(|trial| &trial.verdicts[0]));
            assert_eq!(group.miss(&count).is_none(), hit, "{group:?} {endings:?}");
        }
    }

    #[test]
    fn a_miss_says_what_happened() {
        let trials = [
            trials(Group::Equal, &[Promoted]),
            trials(Group::Twice, &[Promoted, Open]),
            trials(Group::FiveTimes, &[Aborted]),
        ]
        .concat();
        let expected = "twice the errors: none promoted was the bar; of 2 promoted 1, aborted 0, \
                        undecided 1";
        assert_eq!(misses(&trials), [expected]);
        assert_eq!(misses(&[]).len(), 3);
    }

    #[test]
    fn every_judge_has_a_line_in_every_group() {
        let lines = lines(&trials(Group::Equal, &[Promoted, Promoted, Open]));
        assert_eq!(lines.len(), 1 + Group::ALL.len() * JUDGES.len());
        let cells = |line: usize| lines[line].iter().map(String::as_str).collect::<Vec<_>>();
        let ours = ["as good as stable", "Lockflight", "2", "0", "1", "10 / 20 / 30"];
        assert_eq!(cells(1)[..6], ours);
        assert_eq!(cells(2)[..6], ["", "Argo ≥ 99 %, limit 0", "0", "3", "0", "4 / 4 / 4"]);
        assert_eq!(cells(3)[5], "- / - / -");
        assert_eq!(cells(4)[2..], ["0", "0", "0", "- / - / -", "- / - / -"]);
    }
}
