//! Gates under way: one task per member that gathers evidence round by round.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::Utc;
use lockflight_planner::{self as planner, Decisive, Evidence, Gate, MemberId};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use crate::metrics::{self, GateRequest, GateState, Provider};

/// The gates of one Rollout. Dropping it ends their tasks.
#[derive(Debug)]
pub struct Gates {
    evidence: Arc<Mutex<BTreeMap<MemberId, Evidence>>>,
    running: BTreeMap<MemberId, Running>,
    clock: Arc<Notify>,
}

#[derive(Debug)]
struct Running {
    gate: Gate,
    /// Pods of either revision ever seen in this attempt: a pod that died keeps its errors.
    canary_pods: BTreeSet<String>,
    stable_pods: BTreeSet<String>,
    request: watch::Sender<GateRequest>,
    /// Holds the task; dropped with the gate.
    _task: JoinSet<()>,
}

/// What a gate's task needs beside the gate.
pub struct Inputs {
    /// Where to ask.
    pub provider: Provider,
    /// What to ask.
    pub analysis: Vec<metrics::ResolvedTemplate>,
    /// Pods of the revision on trial.
    pub canary_pods: BTreeSet<String>,
    /// Pods of the stable revision.
    pub stable_pods: BTreeSet<String>,
}

impl Gates {
    /// No gates; `clock` is rung with every new piece of evidence.
    #[must_use]
    pub fn new(clock: Arc<Notify>) -> Self {
        Self { evidence: Arc::default(), running: BTreeMap::new(), clock }
    }

    /// The latest evidence of every gate.
    #[must_use]
    pub fn evidence(&self) -> BTreeMap<MemberId, Evidence> {
        self.evidence.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs exactly the gates that a plan wants.
    pub fn run(&mut self, wanted: Vec<Gate>, inputs: impl Fn(&Gate) -> Result<Inputs, String>) {
        self.running.retain(|member, running| {
            wanted.iter().any(|gate| gate.member == *member && gate.attempt == running.gate.attempt)
        });
        for gate in wanted {
            match inputs(&gate) {
                Ok(inputs) => self.keep(gate, inputs),
                Err(why) => {
                    self.running.remove(&gate.member);
                    put(&self.evidence, &gate.member, broken(&gate, why));
                }
            }
        }
    }

    fn keep(&mut self, gate: Gate, inputs: Inputs) {
        let member = gate.member.clone();
        let (mut canary_pods, mut stable_pods) = (inputs.canary_pods, inputs.stable_pods);
        if let Some(running) = self.running.get(&member) {
            canary_pods.extend(running.canary_pods.iter().cloned());
            stable_pods.extend(running.stable_pods.iter().cloned());
        }
        let request = GateRequest {
            cluster: member.0.clone(),
            revision: gate.canary.0.clone(),
            opened_at: gate.opened_at,
            both_arms: gate.stable.is_some(),
            canary_pods: canary_pods.clone(),
            stable_pods: stable_pods.clone(),
            analysis: inputs.analysis,
        };
        if let Some(running) = self.running.get_mut(&member).filter(|running| running.gate == gate)
        {
            running.canary_pods = canary_pods;
            running.stable_pods = stable_pods;
            running.request.send_if_modified(|current| {
                let changed = *current != request;
                *current = request;
                changed
            });
            return;
        }
        let (sender, receiver) = watch::channel(request);
        let mut task = JoinSet::new();
        task.spawn(gather(
            gate.clone(),
            inputs.provider,
            receiver,
            Arc::clone(&self.evidence),
            Arc::clone(&self.clock),
        ));
        self.running.insert(
            member,
            Running { gate, canary_pods, stable_pods, request: sender, _task: task },
        );
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
        message,
        decisive: None,
    }
}

/// Gathers evidence for one gate until it is dropped.
async fn gather(
    gate: Gate,
    provider: Provider,
    request: watch::Receiver<GateRequest>,
    evidence: Arc<Mutex<BTreeMap<MemberId, Evidence>>>,
    clock: Arc<Notify>,
) {
    let until_open = (gate.opened_at - Utc::now()).to_std().unwrap_or_default();
    tokio::time::sleep(until_open).await;
    let mut state = GateState::default();
    loop {
        let asked = request.borrow().clone();
        let round = metrics::evaluate(&provider, &asked, &mut state).await;
        put(&evidence, &gate.member, translate(&gate, &round));
        clock.notify_one();
        tokio::time::sleep(round.next_round_in).await;
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
        message: decisive.map_or_else(passed, |metric| metric.message.clone()),
        decisive: decisive.filter(|_| verdict == planner::Verdict::Fail).map(|metric| Decisive {
            metric: metric.metric.clone(),
            observed: metric.observed.clone(),
            limit: metric.limit.clone(),
        }),
    }
}
