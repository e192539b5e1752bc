//! From single answers to a verdict.

/// The verdict of a probe: it changes after so many equal answers in a row.
#[derive(Debug)]
pub(super) struct Track {
    verdict: bool,
    /// How many answers in a row were against the verdict.
    against: u32,
    failures: u32,
    successes: u32,
}

impl Track {
    pub(super) fn new(verdict: bool, failures: u32, successes: u32) -> Self {
        Self { verdict, against: 0, failures, successes }
    }

    /// Takes one answer; gives the verdict if this answer has changed it.
    pub(super) fn answer(&mut self, good: bool) -> Option<bool> {
        if good == self.verdict {
            self.against = 0;
            return None;
        }
        self.against += 1;
        let needed = if good { self.successes } else { self.failures };
        if self.against < needed {
            return None;
        }
        self.verdict = good;
        self.against = 0;
        Some(good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_count_answers_in_a_row() {
        let mut track = Track::new(false, 3, 2);
        let answers = [true, false, true, true, false, false, true, false, false, false, true];
        let verdicts = answers.map(|good| track.answer(good));
        let mut expected = [None; 11];
        expected[3] = Some(true);
        expected[9] = Some(false);
        assert_eq!(verdicts, expected);
    }
}
