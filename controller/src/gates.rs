//! Gates under way: one task per member that gathers evidence round by round.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use lockflight_analysis::{
    judge::{Arm, Judge},
    reading::Pods,
};
use lockflight_crds::EvidenceStatus;
use lockflight_planner::{self as planner, Decisive, Evidence, Gate, MemberId, Standing};
use tokio::{
    sync::{Mutex as AsyncMutex, MutexGuard, Notify, watch},
    task::JoinSet,
};

use crate::{
    dashboard::GateFeed,
    judgement::{Judgement, LeftOut, Memory, Saved, Trial},
    metrics::{self, GateRequest, GateState, Sources},
    recording::Recorder,
    shelf::Key,
};

/// The gates of one Rollout. Dropping it ends their tasks.
#[derive(Debug)]
pub struct Gates {
    evidence: Arc<Mutex<BTreeMap<MemberId, Evidence>>>,
    running: BTreeMap<MemberId, Running>,
    /// What is kept of each member from one step to the next.
    members: BTreeMap<MemberId, Kept>,
    judgement: Option<Arc<Judgement>>,
    clock: Arc<Notify>,
    /// Where people look at the evidence, if anywhere.
    feed: Option<GateFeed>,
}

#[derive(Debug)]
struct Running {
    gate: Gate,
    request: watch::Sender<GateRequest>,
    /// Holds the task; dropped with the gate.
    _task: JoinSet<()>,
}

/// What is kept of a member within one attempt.
#[derive(Debug, Default)]
struct Kept {
    /// When the evidence of its first step opened.
    first_opened_at: Option<DateTime<Utc>>,
    /// Pods of either revision ever seen: a pod that died keeps its errors.
    pods: Pods,
    /// How far its metrics have been read.
    state: Arc<AsyncMutex<GateState>>,
}

/// What a gate's task needs beside the gate.
pub struct Inputs {
    /// Namespace of the Rollout.
    pub namespace: String,
    /// Name of the Rollout.
    pub rollout: String,
    /// Where to ask.
    pub sources: Sources,
    /// What to ask.
    pub analysis: Vec<metrics::ResolvedTemplate>,
    /// Pods of both revisions.
    pub pods: Pods,
}

impl Drop for Gates {
    fn drop(&mut self) {
        if let Some(feed) = &self.feed {
            feed.forget();
        }
    }
}

impl Gates {
    /// No gates; `clock` is rung with every new piece of evidence, and `feed` gets it, too.
    #[must_use]
    pub fn new(clock: Arc<Notify>, feed: Option<GateFeed>) -> Self {
        Self {
            evidence: Arc::default(),
            running: BTreeMap::new(),
            members: BTreeMap::new(),
            judgement: None,
            clock,
            feed,
        }
    }

    /// The latest evidence of every gate.
    #[must_use]
    pub fn evidence(&self) -> BTreeMap<MemberId, Evidence> {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What a restarted hub needs to go on, as far as the status has room for it, and what it has
    /// no room for; none before anything was judged. `known` is what the status says now.
    #[must_use]
    pub fn status(&self, known: Option<&EvidenceStatus>) -> Option<(EvidenceStatus, Vec<LeftOut>)> {
        let Saved { mut status, left_out } = self.judgement.as_ref()?.status();
        let same = known
            .filter(|known| (&known.revision, known.attempt) == (&status.revision, status.attempt));
        if let Some(known) = same.filter(|_| status.state.is_empty()) {
            // What fitted last is still true: of later windows a restarted hub reads what it can.
            status.state.clone_from(&known.state);
        }
        Some((status, left_out))
    }

    /// How often something has changed that a restart must not lose, in this trial.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.judgement.as_ref().map_or(0, |judgement| judgement.changes())
    }

    /// Turns to a trial. `known` is what the status says of earlier evidence.
    pub fn turn_to(&mut self, trial: Trial, judge: Judge, known: Option<&EvidenceStatus>) {
        let same =
            |judgement: &Arc<Judgement>| *judgement.trial() == trial && *judgement.judge() == judge;
        if self.judgement.as_ref().is_some_and(same) {
            return;
        }
        // This process knows more than the status: that is written with other changes only.
        let own = self.judgement.as_ref().map(|judgement| judgement.memory());
        let known = own.or_else(|| known.map(Memory::from));
        self.running.clear();
        self.members.clear();
        self.judgement = Some(Arc::new(Judgement::open(trial, judge, known)));
    }

    /// Records from now on what the judge is shown.
    pub fn record(&self, recorder: &Recorder, rollout: &Key) {
        if let Some(judgement) = &self.judgement {
            judgement.record(recorder, rollout);
        }
    }

    /// A member is through with its steps.
    pub fn finish(&self, member: &MemberId) {
        if let Some(judgement) = &self.judgement {
            judgement.finish(&member.0);
        }
    }

    /// Runs exactly the gates that a plan wants.
    pub fn run(&mut self, wanted: Vec<Gate>, inputs: impl Fn(&Gate) -> Result<Inputs, String>) {
        self.running.retain(|member, running| {
            wanted.iter().any(|gate| gate.member == *member && gate.attempt == running.gate.attempt)
        });
        for gate in wanted {
            let inputs = inputs(&gate);
            let judgement = self.judgement.clone();
            match (inputs, judgement) {
                (Ok(inputs), Some(judgement)) => self.keep(gate, inputs, judgement),
                (Ok(_), None) => {}
                (Err(why), _) => {
                    self.running.remove(&gate.member);
                    put(&self.evidence, &gate.member, broken(&gate, why));
                }
            }
        }
    }

    fn keep(&mut self, gate: Gate, inputs: Inputs, judgement: Arc<Judgement>) {
        let member = gate.member.clone();
        let kept = self.members.entry(member.clone()).or_default();
        let first_opened_at = *kept.first_opened_at.get_or_insert(gate.opened_at);
        for (name, mut facts) in inputs.pods {
            if facts.arm == Arm::Canary {
                // Ready pods of a revision without a share serve nobody.
                facts.first_traffic = facts.first_traffic.map(|at| at.max(first_opened_at));
            }
            let known = kept.pods.entry(name).or_insert(facts);
            // When it first served does not change, whatever the pod says later.
            let first_traffic = known.first_traffic.or(facts.first_traffic);
            *known = facts;
            known.first_traffic = first_traffic;
        }
        let request = GateRequest {
            namespace: inputs.namespace,
            rollout: inputs.rollout,
            cluster: member.0.clone(),
            revision: gate.canary.0.clone(),
            opened_at: gate.opened_at,
            both_arms: gate.stable.is_some(),
            pods: kept.pods.clone(),
            analysis: inputs.analysis,
        };
        if let Some(running) = self.running.get_mut(&member).filter(|running| running.gate == gate)
        {
            running.request.send_if_modified(|current| {
                let changed = *current != request;
                *current = request;
                changed
            });
            return;
        }
        let (sender, receiver) = watch::channel(request);
        let gathering = Gathering {
            gate: gate.clone(),
            sources: inputs.sources,
            request: receiver,
            state: Arc::clone(&kept.state),
            judgement,
            evidence: Arc::clone(&self.evidence),
            clock: Arc::clone(&self.clock),
            feed: self.feed.clone(),
        };
        let mut task = JoinSet::new();
        task.spawn(gathering.run());
        self.running.insert(member, Running { gate, request: sender, _task: task });
    }
}

fn put(evidence: &Mutex<BTreeMap<MemberId, Evidence>>, member: &MemberId, new: Evidence) {
    evidence.lock().unwrap_or_else(PoisonError::into_inner).insert(member.clone(), new);
}

/// Evidence for a gate that cannot be evaluated at all.
fn broken(gate: &Gate, message: String) -> Evidence {
    Evidence {
        attempt: gate.attempt,
        step: gate.step,
        opened_at: gate.opened_at,
        judged_at: Utc::now(),
        verdict: planner::Verdict::Error,
        samples: None,
        undecided: false,
        message,
        decisive: None,
        standing: None,
    }
}

/// One gate's task.
struct Gathering {
    gate: Gate,
    sources: Sources,
    request: watch::Receiver<GateRequest>,
    state: Arc<AsyncMutex<GateState>>,
    judgement: Arc<Judgement>,
    evidence: Arc<Mutex<BTreeMap<MemberId, Evidence>>>,
    clock: Arc<Notify>,
    feed: Option<GateFeed>,
}

impl Gathering {
    /// Gathers evidence until the gate is dropped.
    async fn run(self) {
        let until_open = (self.gate.opened_at - Utc::now()).to_std().unwrap_or_default();
        tokio::time::sleep(until_open).await;
        // The task of the step before ends at its next wait; then its place is this one's.
        let mut state = EndsJobs(self.state.lock().await);
        loop {
            let asked = self.request.borrow().clone();
            let round =
                metrics::evaluate(&self.sources, &asked, &mut state.0, &self.judgement).await;
            put(&self.evidence, &self.gate.member, translate(&self.gate, &round));
            if let Some(feed) = &self.feed {
                feed.take(&self.gate, self.judgement.judge(), &round);
            }
            self.clock.notify_one();
            tokio::time::sleep(round.next_round_in).await;
        }
    }
}

/// A gate's state while its task runs. What it has begun ends with the task, however that ends.
struct EndsJobs<'a>(MutexGuard<'a, GateState>);

impl Drop for EndsJobs<'_> {
    fn drop(&mut self) {
        self.0.end_jobs();
    }
}

fn translate(gate: &Gate, round: &metrics::Evidence) -> Evidence {
    use lockflight_analysis::Verdict;
    let verdict = match round.gate.verdict {
        Verdict::Pass => planner::Verdict::Pass,
        Verdict::Fail => planner::Verdict::Fail,
        Verdict::Watch => planner::Verdict::Watch,
        Verdict::NoData => planner::Verdict::NoData,
        Verdict::Error => planner::Verdict::Error,
    };
    let decisive = round.gate.decisive.as_ref();
    let passed = || {
        let messages: Vec<&str> = round.gate.metrics.iter().map(|m| m.message.as_str()).collect();
        messages.join("; ")
    };
    Evidence {
        attempt: gate.attempt,
        step: gate.step,
        opened_at: gate.opened_at,
        judged_at: Utc::now(),
        verdict,
        samples: round.gate.samples,
        undecided: round.undecided,
        message: decisive.map_or_else(passed, |metric| metric.message.clone()),
        decisive: decisive.filter(|_| verdict == planner::Verdict::Fail).map(|metric| Decisive {
            metric: metric.metric.clone(),
            observed: metric.observed.clone(),
            limit: metric.limit.clone(),
            fleet: round.fleet,
        }),
        standing: round.compared.as_ref().map(|compared| Standing {
            windows: compared.step.windows,
            first_window_at: compared.step.first_at,
            against_ln: compared.standing.against_ln,
            in_favour_ln: compared.standing.in_favour_ln,
        }),
    }
}
