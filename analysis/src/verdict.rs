//! Verdicts and how those of several metrics make one.

/// What is known about the release. The order is that of combination: abort before hold before
/// watch before promote, so the worst of several verdicts is their maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// There is enough evidence and it is good: the gate may open.
    Pass,
    /// There is not yet enough evidence: wait.
    Watch,
    /// The source answers, but not with anything that can be judged: hold.
    NoData,
    /// The source or the question to it is broken: hold, and somebody has to repair it.
    Error,
    /// There is enough evidence and it is bad: take the release back.
    Fail,
}

/// The verdict of one metric, with what a person needs to understand it.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricVerdict {
    /// Name of the metric in its template.
    pub metric: String,
    /// What follows from it.
    pub verdict: Verdict,
    /// What was seen, with its unit: `7.3 %`. Empty when nothing usable was seen.
    pub observed: String,
    /// What is allowed: `at most 2 × stable's 0.4 %`.
    pub limit: String,
    /// Events of the canary that the verdict rests on; only comparisons count any.
    pub samples: Option<u64>,
    /// The reason, in one sentence.
    pub message: String,
}

/// The verdict of a gate over all of its metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct GateVerdict {
    /// The worst verdict of the metrics; [`Verdict::Pass`] when there are none.
    pub verdict: Verdict,
    /// Each metric's own verdict, in the given order.
    pub metrics: Vec<MetricVerdict>,
    /// The fewest canary events that any comparison saw: what a bake in samples counts.
    pub samples: Option<u64>,
    /// The first metric with the gate's verdict, when that is not a pass.
    pub decisive: Option<MetricVerdict>,
}

/// Combines the metrics of a gate. A gate without metrics passes: it gates nothing.
#[must_use]
pub fn gate(metrics: Vec<MetricVerdict>) -> GateVerdict {
    let verdict = metrics.iter().map(|metric| metric.verdict).max().unwrap_or(Verdict::Pass);
    GateVerdict {
        verdict,
        samples: metrics.iter().filter_map(|metric| metric.samples).min(),
        decisive: metrics
            .iter()
            .find(|metric| metric.verdict == verdict && verdict != Verdict::Pass)
            .cloned(),
        metrics,
    }
}

#[cfg(test)]
mod tests {
    use super::{MetricVerdict, Verdict, gate};

    fn metric(name: &str, verdict: Verdict, samples: Option<u64>) -> MetricVerdict {
        MetricVerdict {
            metric: name.to_owned(),
            verdict,
            observed: String::new(),
            limit: String::new(),
            samples,
            message: String::new(),
        }
    }

    #[test]
    fn the_worst_metric_decides() {
        use Verdict::{Error, Fail, NoData, Pass, Watch};
        let cases: [(&[Verdict], Verdict, Option<usize>); 7] = [
            (&[], Pass, None),
            (&[Pass, Pass], Pass, None),
            (&[Pass, Watch], Watch, Some(1)),
            (&[NoData, Watch], NoData, Some(0)),
            (&[NoData, Error, Error], Error, Some(1)),
            (&[Pass, Error, Fail], Fail, Some(2)),
            (&[Fail, Error], Fail, Some(0)),
        ];
        for (verdicts, expect, decisive) in cases {
            let metrics: Vec<_> = verdicts
                .iter()
                .enumerate()
                .map(|(i, v)| metric(&i.to_string(), *v, None))
                .collect();
            let gate = gate(metrics.clone());
            assert_eq!(gate.verdict, expect, "{verdicts:?}");
            assert_eq!(gate.decisive, decisive.map(|i| metrics[i].clone()), "{verdicts:?}");
        }
    }

    #[test]
    fn samples_are_those_of_the_comparison_that_saw_the_fewest() {
        let with = |samples: &[Option<u64>]| {
            gate(samples.iter().map(|s| metric("m", Verdict::Pass, *s)).collect()).samples
        };
        assert_eq!(with(&[None, None]), None);
        assert_eq!(with(&[Some(120), None, Some(7)]), Some(7));
    }
}
