//! The gates of the service's template, asked and judged here as well: an independent witness of
//! when they could first have failed.

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use kube::Api;
use lockflight_analysis::{
    ArmWindow, Birth, ComparisonRule, Condition, Verdict, Windows, compare, threshold,
};
use lockflight_crds::{AnalysisTemplate, Metric};

use super::samples::{self, Samples};
use crate::service::{Place, TEMPLATE};

/// One metric and what it asks.
#[derive(Clone)]
pub(super) struct Gate {
    /// Name of the metric.
    pub(super) metric: String,
    question: Question,
}

#[derive(Clone)]
enum Question {
    Compare { bad: String, total: String, rule: ComparisonRule },
    Threshold { query: String, condition: Condition },
}

/// A revision on trial in a member.
pub(super) struct Trial {
    /// Since when evidence counts.
    pub(super) opened_at: DateTime<Utc>,
    /// How the names of its pods begin.
    pub(super) canary_pods: String,
    /// How those of the stable revision begin.
    pub(super) stable_pods: String,
}

impl Gate {
    /// The gates of the service's template.
    pub(super) async fn all(hub: &kube::Client, namespace: &str) -> anyhow::Result<Vec<Self>> {
        let api: Api<AnalysisTemplate> = Api::namespaced(hub.clone(), namespace);
        let template = api.get(TEMPLATE).await?;
        template.spec.metrics.iter().map(Self::parse).collect()
    }

    fn parse(metric: &Metric) -> anyhow::Result<Self> {
        let question = match (&metric.compare, &metric.threshold) {
            (Some(compare), _) => Question::Compare {
                bad: compare.bad.clone().context("no bad")?,
                total: compare.total.clone().context("no total")?,
                rule: ComparisonRule::new(2.0, 0.01, 50)
                    .context("the template's comparison is not possible")?,
            },
            (None, Some(threshold)) => Question::Threshold {
                query: threshold.query.clone(),
                condition: Condition::compile(&threshold.pass)?,
            },
            (None, None) => anyhow::bail!("metric {} asks nothing", metric.name),
        };
        Ok(Self { metric: metric.name.clone(), question })
    }

    /// Whether the metric fails now.
    pub(super) async fn fails(&self, place: &Place, trial: &Trial) -> anyhow::Result<bool> {
        let verdict = match &self.question {
            Question::Compare { bad, total, rule } => {
                let windows = trial.windows(place, bad, total).await?;
                compare(&self.metric, rule, &windows)
            }
            Question::Threshold { query, condition } => {
                let query = trial.fill_in(query);
                ensure!(!query.contains("{{"), "a placeholder that the demo does not know");
                let values = samples::values(place, &query).await?;
                threshold(&self.metric, condition, &values, 0, 0).0
            }
        };
        Ok(verdict.verdict == Verdict::Fail)
    }
}

impl Trial {
    fn open_for(&self) -> i64 {
        (Utc::now() - self.opened_at).num_seconds().max(1)
    }

    fn fill_in(&self, query: &str) -> String {
        query
            .replace("{{window}}", &format!("{}s", self.open_for()))
            .replace("{{canaryPods}}", &format!("{}.*", self.canary_pods))
            .replace("{{stablePods}}", &format!("{}.*", self.stable_pods))
    }

    async fn windows(&self, place: &Place, bad: &str, total: &str) -> anyhow::Result<Windows> {
        // Further back than the opening: the last samples before it are the base.
        let back = self.open_for() + 10;
        let (bad, total) =
            tokio::try_join!(Samples::ask(place, bad, back), Samples::ask(place, total, back))?;
        let arm = |pods: &str| ArmWindow { bad: bad.of_pods(pods), total: total.of_pods(pods) };
        Ok(Windows {
            opened_at: self.opened_at,
            judged_at: Utc::now(),
            scrape_interval: None,
            canary_birth: Birth::FromZero,
            canary: arm(&self.canary_pods),
            stable: Some(arm(&self.stable_pods)),
        })
    }
}
