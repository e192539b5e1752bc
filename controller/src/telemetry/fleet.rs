//! What the hub knows of Rollouts and members, read from its caches whenever somebody asks: no
//! series outlives what it speaks of.

use std::{collections::BTreeMap, fmt, sync::Arc};

use kube::ResourceExt as _;
use lockflight_crds::{
    AttemptPhase, Cluster, MemberStatus, Rollout, RolloutStatus, VerdictState, conditions::types,
};
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

use super::catalogue::help;
use crate::hub::Hub;

/// Series by Rollout and member in one answer. Only attempts under way have any, six per member:
/// room for three thousand members that move at the same time.
const MEMBER_SERIES_MAX: usize = 20_000;
/// Natural logarithms are written in hundredths in the status.
const CENTINATS: f64 = 100.0;

/// Families, in the order of their subject.
const FAMILIES: [&str; 17] = [
    "lockflight_hub_ready",
    "lockflight_rollout_info",
    "lockflight_rollout_attempt_number",
    "lockflight_rollout_attempt_started_timestamp_seconds",
    "lockflight_rollout_attempt_ended_timestamp_seconds",
    "lockflight_rollout_members",
    "lockflight_rollout_members_unreachable",
    "lockflight_rollout_waiting",
    "lockflight_rollout_approvals_waiting",
    "lockflight_rollout_rollbacks_owed",
    "lockflight_rollout_member_weight_percent",
    "lockflight_rollout_member_ready_pods",
    "lockflight_rollout_member_verdict",
    "lockflight_rollout_member_evidence_nats",
    "lockflight_metrics_series_omitted",
    "lockflight_member_up",
    "lockflight_member_info",
];

type Labels = Vec<(&'static str, String)>;

/// Reads the caches.
#[derive(Debug)]
pub struct FleetMetrics(Arc<Hub>);

impl FleetMetrics {
    /// Of these caches.
    #[must_use]
    pub fn of(hub: Arc<Hub>) -> Self {
        Self(hub)
    }
}

impl Collector for FleetMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut samples = Samples::default();
        samples.add("lockflight_hub_ready", Vec::new(), if self.0.ready() { 1.0 } else { 0.0 });
        for rollout in self.0.rollouts.select(|_| true) {
            samples.add_rollout(&rollout);
        }
        for cluster in self.0.clusters.select(|_| true) {
            samples.add_member(&cluster);
        }
        samples.add("lockflight_metrics_series_omitted", Vec::new(), count(samples.omitted));
        for family in FAMILIES {
            let mut described =
                encoder.encode_descriptor(family, help(family), None, MetricType::Gauge)?;
            for (labels, value) in samples.families.get(family).into_iter().flatten() {
                if labels.is_empty() {
                    described.encode_gauge(value)?;
                } else {
                    described.encode_family(labels)?.encode_gauge(value)?;
                }
            }
        }
        Ok(())
    }
}

/// Samples by family.
#[derive(Debug, Default)]
struct Samples {
    families: BTreeMap<&'static str, Vec<(Labels, f64)>>,
    by_member: usize,
    omitted: usize,
}

impl Samples {
    fn add(&mut self, family: &'static str, labels: Labels, value: f64) {
        self.families.entry(family).or_default().push((labels, value));
    }

    /// A series by Rollout and member, unless there are too many.
    fn add_detail(&mut self, family: &'static str, labels: Labels, value: f64) {
        if self.by_member < MEMBER_SERIES_MAX {
            self.by_member += 1;
            self.add(family, labels, value);
        } else {
            self.omitted += 1;
        }
    }

    fn add_rollout(&mut self, rollout: &Rollout) {
        let none = RolloutStatus::default();
        let status = rollout.status.as_ref().unwrap_or(&none);
        let labels = |more: &[(&'static str, String)]| {
            let mut labels = vec![
                ("rollout_namespace", rollout.namespace().unwrap_or_default()),
                ("rollout", rollout.name_any()),
            ];
            labels.extend_from_slice(more);
            labels
        };
        let ready = status.conditions.iter().find(|condition| condition.type_ == types::READY);
        let state = ready.map_or("Pending", |condition| condition.reason.as_str());
        let attempt = status.attempt.as_ref();
        let phase = attempt.map_or("None".to_owned(), |attempt| format!("{:?}", attempt.phase));
        let words = [("state", state.to_owned()), ("phase", phase)];
        self.add("lockflight_rollout_info", labels(&words), 1.0);

        if let Some(attempt) = attempt {
            let number = u32::try_from(attempt.number).unwrap_or(u32::MAX);
            self.add("lockflight_rollout_attempt_number", labels(&[]), f64::from(number));
            let started = "lockflight_rollout_attempt_started_timestamp_seconds";
            self.add(started, labels(&[]), seconds(attempt.started_at));
            if let Some(at) = attempt.ended_at {
                let ended = "lockflight_rollout_attempt_ended_timestamp_seconds";
                self.add(ended, labels(&[]), seconds(at));
            }
        }
        let mut phases: BTreeMap<String, usize> = BTreeMap::new();
        for member in &status.members {
            *phases.entry(format!("{:?}", member.phase)).or_default() += 1;
        }
        for (phase, number) in phases {
            self.add("lockflight_rollout_members", labels(&[("phase", phase)]), count(number));
        }
        let unreachable = status.members.iter().filter(|member| member.unknown_since.is_some());
        self.add("lockflight_rollout_members_unreachable", labels(&[]), count(unreachable.count()));
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for waiting in &status.waiting {
            *reasons.entry(waiting.reason.as_str()).or_default() += 1;
        }
        for (reason, number) in reasons {
            let labels = labels(&[("reason", reason.to_owned())]);
            self.add("lockflight_rollout_waiting", labels, count(number));
        }
        let approvals = status.waiting.iter().filter(|waiting| waiting.token.is_some()).count();
        self.add("lockflight_rollout_approvals_waiting", labels(&[]), count(approvals));
        let owed = status.abort.as_ref().map_or(0, |abort| abort.owed.len());
        self.add("lockflight_rollout_rollbacks_owed", labels(&[]), count(owed));

        let goes_on = attempt.is_some_and(|attempt| {
            matches!(attempt.phase, AttemptPhase::Progressing | AttemptPhase::Aborting)
        });
        for member in status.members.iter().filter(|_| goes_on) {
            self.add_place(member, &labels(&[("member", member.name.clone())]));
        }
    }

    /// One member of an attempt; `place` names it.
    fn add_place(&mut self, member: &MemberStatus, place: &Labels) {
        let labels = |more: &[(&'static str, String)]| {
            let mut all = place.clone();
            all.extend_from_slice(more);
            all
        };
        let weights = [("intended", member.weight), ("acknowledged", member.acknowledged_weight)];
        for (kind, weight) in weights {
            let labels = labels(&[("kind", kind.to_owned())]);
            self.add_detail("lockflight_rollout_member_weight_percent", labels, weight.into());
        }
        let pods = f64::from(member.ready_pods);
        self.add_detail("lockflight_rollout_member_ready_pods", labels(&[]), pods);
        let Some(verdict) = &member.verdict else { return };
        let state = match verdict.state {
            VerdictState::Pass => "Pass",
            VerdictState::Fail => "Fail",
            VerdictState::Watch => "Watch",
            VerdictState::NoData => "NoData",
            VerdictState::Error => "Error",
        };
        let words = labels(&[("verdict", state.to_owned())]);
        self.add_detail("lockflight_rollout_member_verdict", words, 1.0);
        let evidence =
            [("worse", verdict.against_centinats), ("not_worse", verdict.in_favour_centinats)];
        for (conclusion, centinats) in evidence {
            let Some(centinats) = centinats else { continue };
            let labels = labels(&[("conclusion", conclusion.to_owned())]);
            let nats = f64::from(centinats) / CENTINATS;
            self.add_detail("lockflight_rollout_member_evidence_nats", labels, nats);
        }
    }

    fn add_member(&mut self, cluster: &Cluster) {
        let name = cluster.name_any();
        let status = cluster.status.clone().unwrap_or_default();
        let is_up = status
            .conditions
            .iter()
            .any(|condition| condition.type_ == types::READY && condition.status == "True");
        let labels = vec![("member", name.clone())];
        self.add("lockflight_member_up", labels, if is_up { 1.0 } else { 0.0 });
        let version = status.kubernetes_version.unwrap_or_default();
        let labels = vec![("member", name), ("kubernetes_version", version)];
        self.add("lockflight_member_info", labels, 1.0);
    }
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn seconds(at: chrono::DateTime<chrono::Utc>) -> f64 {
    // Exact until the year 2106, and who reads it rounds to seconds anyway.
    f64::from(u32::try_from(at.timestamp()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use lockflight_crds::{AttemptStatus, MemberPhase, VerdictStatus, WaitingStatus};
    use serde_json::json;

    use super::*;

    fn rollout(members: usize) -> Rollout {
        let manifest = json!({
            "metadata": {"name": "checkout", "namespace": "shop"},
            "spec": {
                "replicas": 1, "template": {}, "ports": [],
                "placement": {"clusterSelector": {}}, "traffic": {"gatewayAPI": {"routes": []}},
            },
        });
        let mut rollout: Rollout = serde_json::from_value(manifest).unwrap();
        let at = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let verdict = VerdictStatus {
            state: VerdictState::Watch,
            message: String::new(),
            against_centinats: Some(150),
            in_favour_centinats: None,
        };
        let member = |index: usize| MemberStatus {
            name: format!("m{index}"),
            phase: MemberPhase::Canary,
            step: 1,
            since: at,
            base: None,
            weight: 20,
            acknowledged_weight: 5,
            acknowledged_at: None,
            ready_pods: 2,
            verdict: Some(verdict.clone()),
            unknown_since: (index == 0).then_some(at),
            problem: None,
            approved_step: None,
            endpoints_since: None,
        };
        let waiting = |token: Option<&str>| WaitingStatus {
            cluster: None,
            reason: "AwaitingApproval".to_owned(),
            message: String::new(),
            until: None,
            token: token.map(str::to_owned),
        };
        rollout.status = Some(RolloutStatus {
            attempt: Some(AttemptStatus {
                number: 3,
                revision: "a".to_owned(),
                phase: AttemptPhase::Progressing,
                started_at: at,
                ended_at: None,
            }),
            members: (0..members).map(member).collect(),
            waiting: vec![waiting(Some("t")), waiting(None)],
            ..RolloutStatus::default()
        });
        rollout
    }

    fn text(rollout: Rollout) -> String {
        let hub = Arc::new(Hub::default());
        hub.rollouts.put(rollout);
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(FleetMetrics::of(hub)));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn says_where_a_rollout_stands() {
        let text = text(rollout(2));
        let place = "rollout_namespace=\"shop\",rollout=\"checkout\"";
        for line in [
            "lockflight_hub_ready 0".to_owned(),
            format!("lockflight_rollout_info{{{place},state=\"Pending\",phase=\"Progressing\"}} 1"),
            format!("lockflight_rollout_attempt_number{{{place}}} 3"),
            format!("lockflight_rollout_members{{{place},phase=\"Canary\"}} 2"),
            format!("lockflight_rollout_members_unreachable{{{place}}} 1"),
            format!("lockflight_rollout_waiting{{{place},reason=\"AwaitingApproval\"}} 2"),
            format!("lockflight_rollout_approvals_waiting{{{place}}} 1"),
            format!(
                "lockflight_rollout_member_weight_percent{{{place},member=\"m1\",kind=\"acknowledged\"}} 5"
            ),
            format!(
                "lockflight_rollout_member_evidence_nats{{{place},member=\"m0\",conclusion=\"worse\"}} 1.5"
            ),
        ] {
            assert!(text.contains(&line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn at_rest_there_are_no_series_by_member() {
        let mut rollout = rollout(2);
        let attempt = rollout.status.as_mut().unwrap().attempt.as_mut().unwrap();
        attempt.phase = AttemptPhase::Completed;
        attempt.ended_at = Some(attempt.started_at);
        let text = text(rollout);
        assert!(!text.contains("member=\"m1\""), "{text}");
        assert!(text.contains("attempt_ended_timestamp_seconds{"), "{text}");
    }

    #[test]
    fn the_number_of_series_is_bounded() {
        let text = text(rollout(MEMBER_SERIES_MAX / 5 + 2));
        assert!(text.contains("lockflight_metrics_series_omitted 10"), "{text:.200}");
    }
}
