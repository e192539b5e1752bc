//! Which cluster moves in which wave.

use std::{collections::BTreeMap, sync::Arc};

use chrono::TimeDelta;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt;
use lockflight_crds::{Cluster, CountOrPercent, Wave};
use lockflight_planner::{Approval, MemberId, PlannedWave};

use crate::journal::read_approval;

/// A label selector whose operators are known.
pub(super) struct Selector<'a>(&'a LabelSelector);

impl<'a> Selector<'a> {
    /// None when an operator is not one of Kubernetes' four.
    pub(super) fn parse(selector: &'a LabelSelector) -> Option<Self> {
        let known = ["In", "NotIn", "Exists", "DoesNotExist"];
        let expressions = selector.match_expressions.iter().flatten();
        expressions
            .map(|expression| expression.operator.as_str())
            .all(|operator| known.contains(&operator))
            .then_some(Self(selector))
    }

    /// Whether it selects an object with these labels, by Kubernetes' rules.
    pub(super) fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let equal = self.0.match_labels.iter().flatten();
        let expressions = self.0.match_expressions.iter().flatten();
        equal.into_iter().all(|(key, value)| labels.get(key) == Some(value))
            && expressions.into_iter().all(|expression| {
                let value = labels.get(&expression.key);
                let listed =
                    |value: &String| expression.values.iter().flatten().any(|other| other == value);
                match expression.operator.as_str() {
                    "In" => value.is_some_and(listed),
                    "NotIn" => !value.is_some_and(listed),
                    "Exists" => value.is_some(),
                    _ => value.is_none(),
                }
            })
    }
}

/// The waves of a new attempt.
pub(super) fn plan(
    waves: Option<&[Wave]>,
    clusters: &[Arc<Cluster>],
    compares: bool,
    problems: &mut Vec<String>,
) -> Vec<PlannedWave> {
    match waves {
        Some(waves) => chosen(waves, clusters, compares, problems),
        None => default_waves(clusters, compares),
    }
}

fn chosen(
    waves: &[Wave],
    clusters: &[Arc<Cluster>],
    compares: bool,
    problems: &mut Vec<String>,
) -> Vec<PlannedWave> {
    let mut left: Vec<&Arc<Cluster>> = clusters.iter().collect();
    let mut planned = Vec::new();
    for (index, wave) in waves.iter().enumerate() {
        let field = format!("spec.waves[{index}]");
        let Some(selector) = Selector::parse(&wave.cluster_selector) else {
            problems.push(format!(
                "{field}.clusterSelector: an operator must be In, NotIn, Exists or DoesNotExist"
            ));
            continue;
        };
        let (mine, others): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|cluster| selector.matches(cluster.labels()));
        left = others;
        let members: Vec<MemberId> = mine.iter().map(|c| MemberId(c.name_any())).collect();
        let concurrent_max =
            wave.max_concurrent.concurrency_of(members.len()).unwrap_or_else(|error| {
                problems.push(format!("{field}.maxConcurrent: {error}"));
                1
            });
        let last = index + 1 == waves.len();
        let (bake, samples) = match &wave.bake {
            Some(bake) => super::bake(Some(bake), &format!("{field}.bake"), compares, problems),
            None => (default_bake(index, last), 0),
        };
        planned.push(PlannedWave {
            name: wave.name.clone(),
            members,
            concurrent_max,
            bake,
            samples,
            approval: read_approval(wave.approval),
        });
    }
    if !left.is_empty() {
        let names: Vec<String> = left.iter().map(|cluster| cluster.name_any()).collect();
        problems.push(format!(
            "spec.waves: no wave selects {}; add a wave without clusterSelector at the end for the rest",
            names.join(", ")
        ));
    }
    planned
}

/// Half a day after the first wave, two hours after later ones, none after the last: what shows
/// late shows before most clusters have it.
fn default_bake(index: usize, last: bool) -> TimeDelta {
    if last { TimeDelta::zero() } else { TimeDelta::hours(if index == 0 { 12 } else { 2 }) }
}

/// One cluster, one cluster, up to a quarter of all, the rest.
fn default_waves(clusters: &[Arc<Cluster>], compares: bool) -> Vec<PlannedWave> {
    let total = clusters.len();
    let sizes = [1, 1, (total / 4).saturating_sub(2), total];
    let mut names = clusters.iter().map(|cluster| MemberId(cluster.name_any()));
    let groups: Vec<Vec<MemberId>> = sizes
        .into_iter()
        .map(|size| names.by_ref().take(size).collect())
        .filter(|members: &Vec<MemberId>| !members.is_empty())
        .collect();
    let count = groups.len();
    groups
        .into_iter()
        .enumerate()
        .map(|(index, members)| PlannedWave {
            name: format!("wave-{}", index + 1),
            concurrent_max: CountOrPercent::Percent("25%".to_owned())
                .concurrency_of(members.len())
                .unwrap_or(1),
            members,
            bake: default_bake(index, index + 1 == count),
            samples: if compares { u64::from(super::SAMPLES_DEFAULT) } else { 0 },
            approval: Approval::None,
        })
        .collect()
}
