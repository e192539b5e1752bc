//! The story of one pass: observe → validate → plan → check → commit → dispatch.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::Utc;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, Client, ResourceExt, api::PostParams};
use lockflight_analysis::judge::Arm;
use lockflight_crds::{
    MemberPhase, MetricProvider, Rollout, RolloutStatus, conditions::types, names::MANAGED_BY,
};
use lockflight_planner::{self as planner, AttemptPhase, Gate, MemberId, Plan, Severity};
use tokio::time::Instant;

use crate::{
    act::{self, HubLane, Lanes},
    dashboard::{EvidenceFeed, GateFeed},
    events::Events,
    fleet::{Registry, client::CALL_TIMEOUT},
    gates::{Gates, Inputs},
    hub::Hub,
    judgement::{Trial, judge_of},
    metrics::{Desks, MemberClient, ResolvedTemplate, Sources, Subject, Surroundings},
    observe::{self, Captured, Observation},
    recording::Recorder,
    saving::{EVIDENCE_TOO_LARGE, Saving},
    shelf::Key,
    status,
    telemetry::Metrics,
    validate,
    wakes::Wakes,
};

/// Pause after a commit that found another version: the watch brings it within milliseconds.
const CONFLICT_PAUSE: Duration = Duration::from_millis(20);
/// Pause after a refused plan: nothing but a change of facts can help.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);
/// A pass is made at least so often even if a watch lost an event (liveness L5).
const RESYNC: Duration = Duration::from_mins(5);
/// What all passes share.
pub struct Context {
    /// Client of the hub's API server.
    pub client: Client,
    /// The hub's objects.
    pub hub: Arc<Hub>,
    /// The members.
    pub registry: Arc<Registry>,
    /// Alarm clocks.
    pub wakes: Arc<Wakes>,
    /// The hub's own metrics.
    pub metrics: Arc<Metrics>,
    /// Where Events go.
    pub events: Events,
    /// Who asks the metric providers.
    pub desks: Desks,
    /// What the providers of measurements may use and reach.
    pub surroundings: Surroundings,
    /// Where attempts are recorded, if they are.
    pub recorder: Option<Recorder>,
    /// Where people look at the evidence of gates, if the dashboard is served.
    pub feed: Option<Arc<EvidenceFeed>>,
}

/// One Rollout under control.
pub struct Reconciler {
    context: Arc<Context>,
    key: Key,
    lanes: Lanes,
    hub_lane: HubLane,
    gates: Gates,
    saving: Saving,
}

impl Reconciler {
    /// Takes a Rollout under control until it is gone.
    pub async fn run(context: Arc<Context>, key: Key) {
        let clock = context.wakes.clock(&key);
        let feed = context.feed.clone().map(|feed| GateFeed::new(feed, key.clone()));
        let mut reconciler = Self {
            lanes: Lanes::default(),
            hub_lane: HubLane::new(context.client.clone(), Arc::clone(&context.hub.rollouts)),
            gates: Gates::new(Arc::clone(&clock), feed),
            saving: Saving::default(),
            key,
            context,
        };
        while let Some(next) = reconciler.pass().await {
            tokio::select! {
                () = clock.notified() => {}
                () = reconciler.lanes.ended() => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
        reconciler.context.wakes.forget(&reconciler.key);
    }

    /// One pass; when to make the next at the latest, or none when the Rollout is gone.
    async fn pass(&mut self) -> Option<Instant> {
        let rollout = self.context.hub.rollouts.get(&self.key)?;
        if !self.context.hub.synced() || !self.context.registry.ready() {
            return Some(Instant::now() + CONFLICT_PAUSE);
        }
        let begun = Instant::now();
        let next = self.pass_over(&rollout).await;
        self.context.metrics.pass(begun.elapsed());
        Some(next)
    }

    /// One pass over a Rollout as it is now; when to make the next at the latest.
    async fn pass_over(&mut self, rollout: &Arc<Rollout>) -> Instant {
        let (policy, problems) = match validate::validate(rollout, &self.context.hub) {
            Ok(policy) => (Some(policy), Vec::new()),
            Err(problems) => (None, problems),
        };
        if observe::is_settling_in(rollout, &self.context.registry, policy.as_ref()) {
            return Instant::now() + CONFLICT_PAUSE;
        }
        let Observation { snapshot, captured } = observe::observe(
            rollout,
            observe::Context {
                registry: &self.context.registry,
                policy,
                evidence: self.gates.evidence(),
                routes_under_way: self.lanes.routes_under_way(),
                refusals: self.lanes.refusals(),
            },
        );
        let plan = planner::plan(&snapshot);
        let violations = planner::check(&snapshot, &plan);
        if !violations.is_empty() {
            let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
            tracing::error!(rollout = %self.key, violations = texts.join("; "), "plan refused");
            self.context.metrics.plan_refused();
            return Instant::now() + REFUSED_PAUSE;
        }
        let Some(rollout) = self.commit(rollout, &plan, &problems).await else {
            return Instant::now() + CONFLICT_PAUSE;
        };
        let reopens = self.dispatch(&rollout, &plan, &captured).await;
        self.watch_gates(&rollout, plan.gates, &captured);
        let wake_at = plan.wake_at.map(|at| {
            // A little late is right, a little early is a pass for nothing.
            let span = (at - Utc::now()).to_std().unwrap_or_default() + Duration::from_millis(2);
            Instant::now() + span
        });
        let resync = Instant::now() + RESYNC;
        [wake_at, reopens, self.saving.due_at(self.gates.changes())]
            .into_iter()
            .flatten()
            .fold(resync, Instant::min)
    }

    /// Writes the journal before anything that it speaks of, on the version that was seen.
    async fn commit(
        &mut self,
        rollout: &Arc<Rollout>,
        plan: &Plan,
        problems: &[String],
    ) -> Option<Arc<Rollout>> {
        let mut next = status::build(rollout, plan, problems);
        let old = rollout.status.clone().unwrap_or_default();
        let changes = self.gates.changes();
        if next == old && !self.saving.is_due(changes, Instant::now()) {
            return Some(Arc::clone(rollout));
        }
        // Evidence moves with every scrape; it is written along with what is written anyway.
        let saved = self.gates.status(next.evidence.as_ref());
        let (evidence, left_out) = saved.unzip();
        next.evidence = evidence.or(next.evidence);
        let written = self.write_status(rollout, next.clone()).await?;
        self.context.metrics.status_written();
        for text in self.saving.written(changes, left_out.unwrap_or_default(), Instant::now()) {
            self.tell(&written, true, EVIDENCE_TOO_LARGE.to_owned(), &text);
        }
        for notice in &plan.notices {
            let warning = notice.reason.severity() == Severity::Warning;
            let reason = format!("{:?}", notice.reason);
            self.tell(&written, warning, reason, &notice.message);
        }
        self.tell_of_state(&written, &old.conditions, &next.conditions);
        self.count_end(&old, &next);
        let phase = |status: &RolloutStatus| status.attempt.as_ref().map(|attempt| attempt.phase);
        let turned = plan.next.attempt.as_ref().map(|attempt| attempt.phase)
            == Some(AttemptPhase::Aborting)
            && phase(&old) != phase(&next);
        let returned = old.members.iter().any(|member| {
            member.unknown_since.is_some()
                && plan
                    .next
                    .members
                    .get(&MemberId(member.name.clone()))
                    .is_some_and(|journal| journal.unknown_since.is_none())
        });
        if turned || returned {
            self.lanes.reset();
        }
        Some(written)
    }

    async fn write_status(&self, rollout: &Rollout, status: RolloutStatus) -> Option<Arc<Rollout>> {
        let api: Api<Rollout> = Api::namespaced(self.context.client.clone(), &self.key.namespace);
        let mut next = rollout.clone();
        next.status = Some(status);
        let params =
            PostParams { field_manager: Some(MANAGED_BY.to_owned()), ..PostParams::default() };
        let write = api.replace_status(&self.key.name, &params, &next);
        match tokio::time::timeout(CALL_TIMEOUT, write).await {
            Ok(Ok(written)) => {
                self.context.hub.rollouts.put(written.clone());
                Some(Arc::new(written))
            }
            Ok(Err(kube::Error::Api(answer))) if answer.code == 409 || answer.code == 404 => {
                self.context.metrics.status_not_written("conflict");
                None
            }
            Ok(Err(error)) => {
                self.context.metrics.status_not_written("refused");
                tracing::error!(rollout = %self.key, %error, "the journal cannot be written; nothing is sent");
                tokio::time::sleep(CONFLICT_PAUSE * 10).await;
                None
            }
            Err(_) => {
                self.context.metrics.status_not_written("unanswered");
                None
            }
        }
    }

    /// Leaves an Event, and counts it.
    fn tell(&self, rollout: &Rollout, warning: bool, reason: String, message: &str) {
        self.context.metrics.event(warning, &reason);
        self.context.events.tell(rollout, warning, reason, message);
    }

    /// Counts an attempt that has just ended.
    fn count_end(&self, old: &RolloutStatus, next: &RolloutStatus) {
        let Some(attempt) = &next.attempt else { return };
        let was_over = old
            .attempt
            .as_ref()
            .is_some_and(|old| old.number == attempt.number && old.phase == attempt.phase);
        let outcome = match attempt.phase {
            lockflight_crds::AttemptPhase::Completed => "completed",
            lockflight_crds::AttemptPhase::Aborted => "aborted",
            lockflight_crds::AttemptPhase::Progressing
            | lockflight_crds::AttemptPhase::Aborting => return,
        };
        if was_over {
            return;
        }
        let reason = next.abort.as_ref().map_or("", |abort| abort.reason.as_str());
        let ended_at = attempt.ended_at.unwrap_or_else(Utc::now);
        let took = (ended_at - attempt.started_at).to_std().unwrap_or_default();
        self.context.metrics.attempt_ended(outcome, reason, took);
    }

    /// States that a person should hear of, as Events, when they are entered.
    fn tell_of_state(&self, rollout: &Rollout, old: &[Condition], new: &[Condition]) {
        let ready = |conditions: &[Condition]| {
            conditions.iter().find(|condition| condition.type_ == types::READY).cloned()
        };
        let (Some(now), before) = (ready(new), ready(old)) else { return };
        let told = [
            "InvalidSpec",
            "RouteMissing",
            "RouteUnsupported",
            "WriteRefused",
            "AnalysisError",
            "NoData",
            "Paused",
        ];
        let changed = before.is_none_or(|before| before.reason != now.reason);
        if changed && told.contains(&now.reason.as_str()) {
            let warning = now.reason != "Paused";
            self.tell(rollout, warning, now.reason, &now.message);
        }
    }

    /// Hands every action to its lane; none is awaited but those on the hub. When the first
    /// pausing lane opens again.
    async fn dispatch(
        &mut self,
        rollout: &Arc<Rollout>,
        plan: &Plan,
        captured: &BTreeMap<MemberId, Captured>,
    ) -> Option<Instant> {
        let attempt = plan.next.attempt.as_ref().map_or(0, |attempt| attempt.number);
        let mut reopens: Option<Instant> = None;
        for (member, action) in &plan.actions {
            let Some(objects) = captured.get(member) else { continue };
            let writes = match act::writes(action, rollout, objects, attempt) {
                Ok(writes) => writes,
                Err(why) => {
                    tracing::warn!(rollout = %self.key, cluster = %member, why, "action dropped");
                    continue;
                }
            };
            for write in writes {
                let at = self.lanes.send(
                    member,
                    &objects.member.client,
                    &objects.view,
                    write,
                    &self.context.metrics,
                );
                reopens = [reopens, at].into_iter().flatten().min();
            }
        }
        for action in &plan.hub_actions {
            let current = self.context.hub.rollouts.get(&self.key);
            let current = current.as_ref().unwrap_or(rollout);
            if !self.hub_lane.perform(current, action).await {
                let retry = Instant::now() + CONFLICT_PAUSE * 10;
                reopens = Some(reopens.map_or(retry, |at| at.min(retry)));
            }
        }
        reopens
    }

    fn watch_gates(
        &mut self,
        rollout: &Rollout,
        gates: Vec<Gate>,
        captured: &BTreeMap<MemberId, Captured>,
    ) {
        let status = rollout.status.clone().unwrap_or_default();
        let (Some(plan), Some(attempt)) = (&status.plan, &status.attempt) else { return };
        let hub = Arc::clone(&self.context.hub);
        let namespace = rollout.namespace().unwrap_or_default();
        let mut problems = Vec::new();
        let subject = Subject { namespace: &namespace, rollout: &rollout.name_any() };
        let analysis = validate::resolve_all(&plan.analysis, subject, &hub, &mut problems);
        if problems.is_empty() && !gates.is_empty() {
            let trial = Trial { revision: attempt.revision.clone(), attempt: attempt.number };
            let clusters = plan.waves.iter().flat_map(|wave| &wave.clusters);
            let clusters = clusters.map(|cluster| cluster.as_str().into()).collect();
            let judge = judge_of(&analysis, clusters, &plan.evidence);
            self.gates.turn_to(trial, judge, status.evidence.as_ref());
            if let Some(recorder) = &self.context.recorder {
                self.gates.record(recorder, &self.key);
            }
        }
        for member in &status.members {
            if !matches!(member.phase, MemberPhase::Pending | MemberPhase::Canary) {
                self.gates.finish(&MemberId(member.name.clone()));
            }
        }
        let desks = &self.context.desks;
        let surroundings = self.context.surroundings.clone();
        let registry = Arc::clone(&self.context.registry);
        self.gates.run(gates, |gate| {
            if let Some(problem) = problems.first() {
                return Err(problem.clone());
            }
            let cluster = hub
                .clusters
                .get(&Key::new("", &gate.member.0))
                .ok_or_else(|| format!("there is no Cluster {}", gate.member))?;
            let provider = validate::provider(&cluster, &namespace, &hub)?;
            let name = provider.name_any();
            let (registry, member) = (Arc::clone(&registry), gate.member.0.clone());
            // Asked for with every question: a member may be engaged anew meanwhile.
            let member: MemberClient =
                Arc::new(move || registry.member(&member).map(|member| member.client.clone()));
            let surroundings = Surroundings { member: Some(member), ..surroundings.clone() };
            let desk = |name: &str, provider: &Arc<MetricProvider>| {
                desks
                    .desk(&gate.member.0, name, provider, &surroundings)
                    .map_err(|error| format!("MetricProvider {name}: {error}"))
            };
            let mut sources = Sources::of(desk(&name, &provider)?);
            for name in analysis.iter().flat_map(ResolvedTemplate::providers) {
                let provider = validate::named_provider(name, &namespace, &hub)?;
                sources.add(name.to_owned(), desk(name, &provider)?);
            }
            let pods = captured.get(&gate.member).into_iter().flat_map(|objects| &objects.pods);
            let pods = pods.filter_map(|(name, (revision, pod))| {
                let arm = if *revision == gate.canary {
                    Arm::Canary
                } else if Some(revision) == gate.stable.as_ref() {
                    Arm::Stable
                } else {
                    return None;
                };
                Some((name.as_str().into(), observe::pod_facts(pod, arm)))
            });
            Ok(Inputs {
                namespace: namespace.clone(),
                rollout: rollout.name_any(),
                sources,
                analysis: analysis.clone(),
                pods: pods.collect(),
            })
        });
    }
}
