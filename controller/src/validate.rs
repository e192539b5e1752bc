//! From the spec to the planner's policy: every complaint names the field and the remedy.

mod waves;

use std::sync::Arc;

use chrono::TimeDelta;
use kube::ResourceExt;
use lockflight_crds::{
    self as wire, AnalysisTemplate, AnalysisTemplateSpec, Bake, Cluster, Duration, MetricProvider,
    Rollout,
};
use lockflight_planner::{
    Approval, Pacing, PlannedStep, Policy, Revision, RollbackScope, UnreachableBudget,
};

use crate::{
    hub::Hub,
    journal::read_approval,
    metrics::{BUILTIN_PREFIX, Builtin, ResolvedMetric, ResolvedTemplate, Subject, resolve},
    shelf::Key,
};

/// Canary events that a gate waits for where the user says nothing (Google's and Amazon's
/// practice: no verdict on fewer than about a hundred requests).
const SAMPLES_DEFAULT: u32 = 100;

/// Members of one Rollout: its status holds an entry for each, and must stay well below the size
/// of one API object.
const CLUSTERS_MAX: usize = 500;

/// Chances of error that a user may ask for.
const CHANCE_MIN: f64 = 0.000_1;
const CHANCE_MAX: f64 = 0.25;

/// Everything wrong with a spec, or the policy that it stands for.
pub fn validate(rollout: &Rollout, hub: &Hub) -> Result<Policy, Vec<String>> {
    let spec = &rollout.spec;
    let mut problems = template_problems(&spec.template);
    let namespace = rollout.namespace().unwrap_or_default();
    let subject = Subject { namespace: &namespace, rollout: &rollout.name_any() };
    let templates = resolve_all(&spec.analysis, subject, hub, &mut problems);
    for template in &templates {
        problems.extend(provider_problems(template, &namespace, hub));
    }
    let compares = templates.iter().any(ResolvedTemplate::counts_events);
    let clusters = placement(rollout, hub, !templates.is_empty(), &mut problems);
    if templates.iter().any(ResolvedTemplate::reads_counters) {
        let without =
            clusters.iter().filter_map(|cluster| without_counters(cluster, &namespace, hub));
        problems.extend(without);
    }
    let waves = waves::plan(spec.waves.as_deref(), &clusters, compares, &mut problems);
    let steps = steps(spec.strategy.canary.steps.as_deref(), compares, &mut problems);
    let policy = &spec.failure_policy;
    let total = clusters.len();
    let mut budget = |field: &str, value: &wire::CountOrPercent| match value.budget_of(total) {
        Ok(budget) => budget,
        Err(error) => {
            problems.push(format!("spec.failurePolicy.{field}: {error}"));
            0
        }
    };
    let failed_max = budget("maxFailedClusters", &policy.max_failed_clusters);
    let unreachable = match &policy.max_unreachable_clusters {
        Some(value) => UnreachableBudget::Fixed(budget("maxUnreachableClusters", value)),
        None => UnreachableBudget::AfterSecondWave(total / 10),
    };
    let progress_deadline =
        span("spec.failurePolicy.progressDeadline", &policy.progress_deadline, &mut problems);
    let scale_down_delay = span(
        "spec.strategy.canary.scaleDownDelay",
        &spec.strategy.canary.scale_down_delay,
        &mut problems,
    );
    let pacing = pacing(&spec.evidence, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Policy {
        revision: Revision(wire::revision_of(spec)),
        replicas: spec.replicas,
        steps,
        waves,
        gated: !templates.is_empty(),
        pacing,
        failed_max,
        unreachable,
        rollback: match policy.rollback {
            wire::RollbackScope::Auto => RollbackScope::Auto,
            wire::RollbackScope::Fleet => RollbackScope::Fleet,
            wire::RollbackScope::Cluster => RollbackScope::Cluster,
        },
        progress_deadline,
        scale_down_delay,
    })
}

/// How long steps may take, and how sure their evidence must be.
fn pacing(evidence: &wire::EvidencePolicy, problems: &mut Vec<String>) -> Pacing {
    let field = |name: &str| format!("spec.evidence.{name}");
    let missed = chance(&field("missed"), &evidence.missed, problems);
    chance(&field("falseAborts"), &evidence.false_aborts, problems);
    span(&field("episode"), &evidence.episode, problems);
    Pacing {
        dwell_min: span(&field("minDwell"), &evidence.min_dwell, problems),
        dwell_max: span(&field("maxDwell"), &evidence.max_dwell, problems),
        decision_deadline: span(&field("decisionDeadline"), &evidence.decision_deadline, problems),
        missed,
    }
}

/// A chance that a user states; far below it, no traffic could ever decide anything.
fn chance(field: &str, text: &str, problems: &mut Vec<String>) -> f64 {
    match text.parse::<f64>() {
        Ok(chance) if (CHANCE_MIN..=CHANCE_MAX).contains(&chance) => chance,
        Ok(_) | Err(_) => {
            problems.push(format!(
                "{field}: must be a number from {CHANCE_MIN} to {CHANCE_MAX}, for example 0.05"
            ));
            CHANCE_MAX
        }
    }
}

/// The templates of the analysis of a Rollout, with their arguments; problems go to `problems`.
pub fn resolve_all(
    references: &[wire::AnalysisReference],
    subject: Subject<'_>,
    hub: &Hub,
    problems: &mut Vec<String>,
) -> Vec<ResolvedTemplate> {
    let mut resolved = Vec::new();
    for (index, reference) in references.iter().enumerate() {
        let name = &reference.template;
        let template = match find_template(name, subject.namespace, hub) {
            Ok(template) => template,
            Err(problem) => {
                problems.push(format!("spec.analysis[{index}].template: {problem}"));
                continue;
            }
        };
        match resolve(name, &template, subject, &reference.args) {
            Ok(template) => resolved.push(template),
            Err(error) => {
                problems.push(format!("spec.analysis[{index}], AnalysisTemplate {name}: {error}"));
            }
        }
    }
    resolved
}

/// A template that comes with Lockflight, or one of the namespace.
fn find_template(name: &str, namespace: &str, hub: &Hub) -> Result<AnalysisTemplateSpec, String> {
    if let Some(builtin) = name.strip_prefix(BUILTIN_PREFIX) {
        let found = Builtin::find(builtin).and_then(Builtin::spec);
        return found.ok_or_else(|| {
            format!(
                "there is no built-in template {builtin}; there are {}",
                Builtin::names().collect::<Vec<_>>().join(", ")
            )
        });
    }
    let found: Option<Arc<AnalysisTemplate>> = hub.templates.get(&Key::new(namespace, name));
    found.map(|template| template.spec.clone()).ok_or_else(|| {
        format!(
            "there is no AnalysisTemplate {name} in namespace {namespace}; one that comes with Lockflight is named {BUILTIN_PREFIX}NAME"
        )
    })
}

/// The metric provider of a member, for Rollouts of a namespace.
pub fn provider(
    cluster: &Cluster,
    namespace: &str,
    hub: &Hub,
) -> Result<Arc<MetricProvider>, String> {
    let name = cluster.name_any();
    let metrics = cluster.spec.metrics.as_ref().ok_or_else(|| {
        format!(
            "Cluster {name}: spec.metrics.provider is missing, so gates cannot be evaluated there"
        )
    })?;
    named_provider(&metrics.provider, namespace, hub)
        .map_err(|problem| format!("Cluster {name}: spec.metrics.provider: {problem}"))
}

/// The provider of this name, for Rollouts of a namespace.
pub fn named_provider(
    name: &str,
    namespace: &str,
    hub: &Hub,
) -> Result<Arc<MetricProvider>, String> {
    let provider = hub.providers.get(&Key::new("", name));
    let provider = provider.ok_or_else(|| format!("there is no MetricProvider {name}"))?;
    let allowed = provider.spec.allowed_namespaces.as_ref();
    if allowed.is_some_and(|allowed| !allowed.iter().any(|one| one == namespace)) {
        return Err(format!(
            "MetricProvider {name}: spec.allowedNamespaces must contain {namespace} before a Rollout there may ask it"
        ));
    }
    Ok(provider)
}

/// What is wrong with the providers that thresholds name.
fn provider_problems(template: &ResolvedTemplate, namespace: &str, hub: &Hub) -> Vec<String> {
    let of = |metric: &ResolvedMetric| {
        let problem = match named_provider(metric.provider()?, namespace, hub) {
            Ok(provider) if provider.spec.job.is_some() && metric.is_flagger() => {
                "a check of flagger cannot wait for a Job: use pass or argo".to_owned()
            }
            Ok(_) => return None,
            Err(problem) => problem,
        };
        let (template, metric) = (&template.name, &metric.name);
        Some(format!(
            "AnalysisTemplate {template}: metrics[{metric}].threshold.provider: {problem}"
        ))
    };
    template.metrics.iter().filter_map(of).collect()
}

/// Why a member's provider cannot serve comparisons, if it cannot.
fn without_counters(cluster: &Cluster, namespace: &str, hub: &Hub) -> Option<String> {
    let provider = provider(cluster, namespace, hub).ok()?;
    provider.spec.prometheus.is_none().then(|| {
        format!(
            "Cluster {}: MetricProvider {} gives single values, but spec.analysis compares counters: use a provider with prometheus, or thresholds only",
            cluster.name_any(),
            provider.name_any()
        )
    })
}

fn template_problems(template: &serde_json::Value) -> Vec<String> {
    let mut problems = Vec::new();
    let containers = template.pointer("/spec/containers").and_then(serde_json::Value::as_array);
    if containers.is_none_or(Vec::is_empty) {
        problems.push("spec.template.spec.containers: must have at least one container".to_owned());
    }
    for field in ["serviceAccountName", "serviceAccount"] {
        if template.pointer(&format!("/spec/{field}")).is_some() {
            problems.push(format!(
                "spec.template.spec.{field}: must not be set: its use cannot yet be checked against the author's rights in the members"
            ));
        }
    }
    for label in [wire::names::ROLLOUT_LABEL, wire::names::REVISION_LABEL] {
        let pointer = format!("/metadata/labels/{}", label.replace('/', "~1"));
        if template.pointer(&pointer).is_some() {
            problems.push(format!(
                "spec.template.metadata.labels: {label} is set by Lockflight; remove it"
            ));
        }
    }
    problems
}

/// The clusters of the placement that allow the Rollout's namespace, in order of their names.
fn placement(
    rollout: &Rollout,
    hub: &Hub,
    gated: bool,
    problems: &mut Vec<String>,
) -> Vec<Arc<Cluster>> {
    let namespace = rollout.namespace().unwrap_or_default();
    let selector = &rollout.spec.placement.cluster_selector;
    let Some(selector) = waves::Selector::parse(selector) else {
        problems.push(
            "spec.placement.clusterSelector: an operator must be In, NotIn, Exists or DoesNotExist"
                .to_owned(),
        );
        return Vec::new();
    };
    let clusters = hub.clusters.select(|cluster| selector.matches(cluster.labels()));
    if clusters.is_empty() {
        problems.push("spec.placement.clusterSelector: selects no Cluster; label a Cluster or correct the selector".to_owned());
    }
    if clusters.len() > CLUSTERS_MAX {
        problems.push(format!(
            "spec.placement.clusterSelector: selects {} Clusters; one Rollout may have {CLUSTERS_MAX}: split the fleet over several",
            clusters.len()
        ));
    }
    for cluster in &clusters {
        let name = cluster.name_any();
        if !cluster.spec.allowed_namespaces.contains(&namespace) {
            problems.push(format!(
                "Cluster {name}: spec.allowedNamespaces must contain {namespace} before a Rollout may act there"
            ));
        }
        if gated && let Err(problem) = provider(cluster, &namespace, hub) {
            problems.push(problem);
        }
    }
    clusters
}

fn steps(
    steps: Option<&[wire::Step]>,
    compares: bool,
    problems: &mut Vec<String>,
) -> Vec<PlannedStep> {
    let Some(steps) = steps else { return default_steps(compares) };
    let rising = steps.windows(2).all(|pair| match pair {
        [a, b] => a.weight < b.weight,
        _ => true,
    });
    if !rising || steps.last().is_none_or(|step| step.weight != 100) {
        problems.push(
            "spec.strategy.canary.steps: weights must rise from step to step and end at 100"
                .to_owned(),
        );
    }
    steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            let field = format!("spec.strategy.canary.steps[{index}].bake");
            let (bake, samples) = bake(step.bake.as_ref(), &field, compares, problems);
            PlannedStep {
                weight: step.weight,
                bake_first: bake,
                bake,
                samples,
                approval: read_approval(step.approval),
            }
        })
        .collect()
}

/// 5, 10, 33, 66, 100: at most a tenth on trial at first, at most a third replaced at a time;
/// the hour at 10 % is for failures that show late, and only the first cluster of a wave takes it.
fn default_steps(compares: bool) -> Vec<PlannedStep> {
    [5, 10, 33, 66, 100]
        .into_iter()
        .map(|weight| PlannedStep {
            weight,
            bake_first: TimeDelta::hours(i64::from(weight == 10)),
            bake: TimeDelta::zero(),
            samples: if compares { u64::from(SAMPLES_DEFAULT) } else { 0 },
            approval: Approval::None,
        })
        .collect()
}

/// Time and samples of a bake.
fn bake(
    bake: Option<&Bake>,
    field: &str,
    compares: bool,
    problems: &mut Vec<String>,
) -> (TimeDelta, u64) {
    let fallback = if compares { SAMPLES_DEFAULT } else { 0 };
    let Some(bake) = bake else { return (TimeDelta::zero(), u64::from(fallback)) };
    let time = span(&format!("{field}.time"), &bake.time, problems);
    let samples = bake.samples.unwrap_or(fallback);
    if samples > 0 && !compares {
        problems.push(format!(
            "{field}.samples: counting requests needs a comparison metric in spec.analysis that has events (bad with total, or histogram); add one or leave samples out"
        ));
    }
    (time, u64::from(samples))
}

fn span(field: &str, duration: &Duration, problems: &mut Vec<String>) -> TimeDelta {
    match duration.to_std().map(TimeDelta::from_std) {
        Ok(Ok(span)) => span,
        Ok(Err(_)) => {
            problems.push(format!("{field}: is too long"));
            TimeDelta::zero()
        }
        Err(error) => {
            problems.push(format!("{field}: {error}"));
            TimeDelta::zero()
        }
    }
}

#[cfg(test)]
mod tests;
