//! A small fleet in memory that carries out plans: enough of Kubernetes and of a gateway to find
//! plans that lose requests. One tick is half a second.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]
#![allow(dead_code, reason = "each test program uses its own part")]

mod member;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use lockflight_planner::{
    Action, Approval, AttemptPhase, Commands, Decisive, DeploymentFacts, Evidence, Facts, Gate,
    HubAction, Journal, MemberId, MemberPhase, Observed, Pacing, Plan, PlannedStep, PlannedWave,
    Policy, Revision, RollbackScope, RouteFacts, RouteState, ServiceFacts, Snapshot, Standing,
    UnreachableBudget, Verdict, check, plan,
};

pub(crate) use member::{Member, Service};

pub(crate) const TICK: TimeDelta = TimeDelta::milliseconds(500);
pub(crate) const REPLICAS: u32 = 3;

const FLEET: &[&[&str]] = &[&["a"], &["b", "c"]];

/// A fleet in which v1 serves.
pub(crate) fn fleet() -> World {
    let mut world = World::new(FLEET, &[10, 50, 100]);
    world.until("v1 completed", 200, |w| w.phase() == Some(AttemptPhase::Completed));
    world.lost = 0;
    world
}

pub(crate) fn release(world: &mut World, name: &str) {
    world.policy.revision = revision(name);
    world.step();
}

pub(crate) fn phase(world: &World, name: &str) -> MemberPhase {
    world.journal.members[&member(name)].phase
}

pub(crate) fn serves_everywhere(world: &World, name: &str) -> bool {
    world.members.values().all(|member| member.share(&revision(name)) == 100)
}

pub(crate) fn revision(name: &str) -> Revision {
    Revision(name.to_owned())
}

pub(crate) fn member(name: &str) -> MemberId {
    MemberId(name.to_owned())
}

/// What the gates say, apart from which revisions are bad where.
#[derive(Debug, Clone, Default)]
pub(crate) struct Says {
    /// What comparison metrics show in every gate with two arms.
    pub(crate) standing: Option<Standing>,
    /// The verdict of every gate, where that is not a matter of good and bad.
    pub(crate) verdict: Option<Verdict>,
    /// Whether only a person can say more.
    pub(crate) undecided: bool,
    /// Whether a failure is the fleet's.
    pub(crate) together: bool,
    /// When the windows of a gate come; all of them at its opening where it is not said.
    pub(crate) arrival: Option<Arrival>,
}

/// How measured windows come in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// From the opening of a gate to the end of the warm-up, where its first window begins.
    pub(crate) first_begins: TimeDelta,
    /// Length of a window.
    pub(crate) length: TimeDelta,
    /// From the end of a window until it is read.
    pub(crate) behind: TimeDelta,
    /// Requests of the canary in a window.
    pub(crate) requests: u64,
}

impl Arrival {
    /// Windows that are read this long after the opening.
    pub(crate) fn windows(&self, since_opened: TimeDelta) -> u32 {
        let first = self.first_begins + self.length + self.behind;
        let later = (since_opened - first).num_milliseconds();
        let windows = if later < 0 { 0 } else { later / self.length.num_milliseconds() + 1 };
        windows.try_into().unwrap()
    }
}

/// The fleet and the hub's memory of it.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) now: DateTime<Utc>,
    pub(crate) members: BTreeMap<MemberId, Member>,
    pub(crate) policy: Policy,
    pub(crate) journal: Journal,
    pub(crate) commands: Commands,
    pub(crate) shown_tokens: BTreeSet<String>,
    pub(crate) finalizer: bool,
    pub(crate) deleting: bool,
    pub(crate) gone: bool,
    pub(crate) last: Option<Plan>,
    pub(crate) notices: Vec<String>,
    unreachable_since: BTreeMap<MemberId, DateTime<Utc>>,
    /// What the gates say.
    pub(crate) says: Says,
    /// (member, action, versions it was planned on), sent but not yet applied.
    pub(crate) in_flight: Vec<(MemberId, Action, [u64; 3])>,
    pub(crate) lost: u64,
}

impl World {
    pub(crate) fn new(waves: &[&[&str]], steps: &[u8]) -> Self {
        let members: BTreeMap<MemberId, Member> = waves
            .iter()
            .flat_map(|wave| wave.iter())
            .map(|name| {
                (member(name), Member { reachable: true, acknowledged: true, ..Member::default() })
            })
            .collect();
        let policy = Policy {
            revision: revision("v1"),
            replicas: REPLICAS,
            steps: steps
                .iter()
                .map(|weight| PlannedStep {
                    weight: *weight,
                    bake_first: TimeDelta::zero(),
                    bake: TimeDelta::zero(),
                    samples: 0,
                    approval: Approval::None,
                })
                .collect(),
            waves: waves
                .iter()
                .enumerate()
                .map(|(index, wave)| PlannedWave {
                    name: format!("w{index}"),
                    members: wave.iter().map(|name| member(name)).collect(),
                    concurrent_max: 1,
                    bake: TimeDelta::zero(),
                    samples: 0,
                    approval: Approval::None,
                })
                .collect(),
            gated: true,
            pacing: Pacing {
                dwell_min: TimeDelta::seconds(2),
                dwell_max: TimeDelta::seconds(10),
                decision_deadline: TimeDelta::seconds(30),
                missed: 0.05,
            },
            failed_max: 0,
            unreachable: UnreachableBudget::Fixed(0),
            rollback: RollbackScope::Auto,
            progress_deadline: TimeDelta::seconds(60),
            scale_down_delay: TimeDelta::seconds(5),
        };
        Self {
            now: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            members,
            policy,
            journal: Journal::default(),
            commands: Commands::default(),
            shown_tokens: BTreeSet::new(),
            finalizer: false,
            deleting: false,
            gone: false,
            last: None,
            notices: Vec::new(),
            unreachable_since: BTreeMap::new(),
            says: Says::default(),
            in_flight: Vec::new(),
            lost: 0,
        }
    }

    pub(crate) fn get(&self, name: &str) -> &Member {
        &self.members[&member(name)]
    }

    pub(crate) fn edit(&mut self, name: &str) -> &mut Member {
        self.members.get_mut(&member(name)).unwrap()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            now: self.now,
            uid: "uid".to_owned(),
            deleting: self.deleting,
            force_delete: false,
            finalizer: self.finalizer,
            policy: Some(self.policy.clone()),
            journal: self.journal.clone(),
            shown_tokens: self.shown_tokens.clone(),
            commands: self.commands.clone(),
            members: self
                .members
                .iter()
                .map(|(name, member)| (name.clone(), self.observe(name, member)))
                .collect(),
            evidence: self
                .last
                .iter()
                .flat_map(|plan| &plan.gates)
                .filter(|gate| self.now >= gate.opened_at)
                .map(|gate| (gate.member.clone(), self.judge(gate)))
                .collect(),
        }
    }

    fn observe(&self, name: &MemberId, member: &Member) -> Observed {
        if !member.reachable {
            let since = self.unreachable_since.get(name).copied().unwrap_or(self.now);
            return Observed::Unknown { since, why: "cut off".to_owned() };
        }
        let service = |service: &Service| ServiceFacts {
            selects: service.selects.clone(),
            endpoints: service.endpoints.clone(),
            strays: 0,
            attempt: service.attempt,
            aborted: service.aborted.clone(),
            manager: member.manager.clone(),
        };
        let mut facts = Facts {
            stable: member.stable.as_ref().map(service),
            canary: member.canary.as_ref().map(service),
            deployments: member
                .deployments
                .iter()
                .map(|(revision, deployment)| {
                    let facts = DeploymentFacts {
                        replicas: deployment.replicas,
                        ready: deployment.ready,
                        pods: deployment.pods(),
                        problem: None,
                        created_at: deployment.created_at,
                    };
                    (revision.clone(), facts)
                })
                .collect(),
            routes: vec![RouteFacts {
                name: "route".to_owned(),
                state: RouteState::Present {
                    lowest: member.weight,
                    highest: member.weight,
                    acknowledged: member.acknowledged,
                    complaint: None,
                    manager: member.manager.clone(),
                },
            }],
            refusals: Vec::new(),
        };
        let mut under_way = self.in_flight.iter().filter(|(to, _, _)| to == name);
        if under_way.any(|(_, action, _)| matches!(action, Action::SetWeight { .. })) {
            facts.unsettle_routes();
        }
        Observed::Known(facts)
    }

    fn judge(&self, gate: &Gate) -> Evidence {
        let bad = self.members[&gate.member].bad.contains(&gate.canary);
        let arrival = self.says.arrival;
        let windows = arrival.map(|arrival| arrival.windows(self.now - gate.opened_at));
        let first_begins = arrival.map_or(TimeDelta::zero(), |arrival| arrival.first_begins);
        let first_window_at = (windows != Some(0)).then(|| gate.opened_at + first_begins);
        Evidence {
            attempt: gate.attempt,
            step: gate.step,
            opened_at: gate.opened_at,
            judged_at: self.now,
            verdict: self.says.verdict.unwrap_or(if bad { Verdict::Fail } else { Verdict::Pass }),
            samples: Some(
                arrival
                    .zip(windows)
                    .map_or(1000, |(arrival, windows)| arrival.requests * u64::from(windows)),
            ),
            undecided: self.says.undecided,
            message: if bad { "errors 9 % > 2 %" } else { "fine" }.to_owned(),
            decisive: bad.then(|| Decisive {
                metric: "errors".to_owned(),
                observed: "9 %".to_owned(),
                limit: "2 %".to_owned(),
                fleet: self.says.together,
            }),
            standing: self.says.standing.clone().filter(|_| gate.stable.is_some()).map(
                |standing| Standing {
                    windows: windows.unwrap_or(standing.windows),
                    first_window_at,
                    ..standing
                },
            ),
        }
    }

    /// One pass of the hub. `send` says which of the writes leave the process: a crash after the
    /// commit loses them.
    pub(crate) fn pass(&mut self, send: impl Fn(usize) -> bool) {
        if self.gone {
            return;
        }
        let snapshot = self.snapshot();
        let plan = plan(&snapshot);
        let violations = check(&snapshot, &plan);
        assert!(violations.is_empty(), "{violations:?}\n{plan:#?}");
        self.notices.extend(plan.notices.iter().map(|n| format!("{:?}: {}", n.reason, n.message)));
        self.journal = plan.next.clone();
        self.shown_tokens = plan.waiting.iter().filter_map(|w| w.token.clone()).collect();
        for action in &plan.hub_actions {
            match action {
                HubAction::AddFinalizer => self.finalizer = true,
                HubAction::RemoveFinalizer => {
                    self.finalizer = false;
                    self.gone = true;
                }
                HubAction::RemoveAbortAnnotation(value) => {
                    if self.commands.abort.as_ref() == Some(value) {
                        self.commands.abort = None;
                    }
                }
            }
        }
        for (index, (name, action)) in plan.actions.iter().enumerate() {
            if send(index) {
                let versions = self.members[name].versions();
                self.in_flight.push((name.clone(), action.clone(), versions));
            }
        }
        self.last = Some(plan);
    }

    /// Writes that are under way arrive; those whose object has changed since are refused.
    pub(crate) fn deliver(&mut self) {
        let attempt = self.journal.attempt.as_ref().map_or(0, |attempt| attempt.number);
        for (name, action, versions) in std::mem::take(&mut self.in_flight) {
            let now = self.now;
            let member = self.members.get_mut(&name).unwrap();
            if member.reachable {
                member.apply(&action, versions, attempt, now);
            }
        }
    }

    /// Half a second in every member, and what it costs in requests.
    pub(crate) fn tick(&mut self) {
        self.now += TICK;
        for (name, member) in &mut self.members {
            if member.reachable {
                self.unreachable_since.remove(name);
            } else {
                self.unreachable_since.entry(name.clone()).or_insert(self.now);
            }
            member.tick();
            self.lost += member.lost();
        }
    }

    pub(crate) fn step(&mut self) {
        self.pass(|_| true);
        self.deliver();
        self.tick();
    }

    /// Steps until a condition holds; panics with the hub's last words after `ticks`.
    pub(crate) fn until(&mut self, what: &str, ticks: usize, condition: impl Fn(&Self) -> bool) {
        for _ in 0..ticks {
            if condition(self) {
                return;
            }
            self.step();
        }
        let waiting = self.last.as_ref().map(|plan| plan.waiting.clone());
        panic!("not {what} after {ticks} ticks: {waiting:#?}\n{:#?}", self.journal.members);
    }

    pub(crate) fn phase(&self) -> Option<lockflight_planner::AttemptPhase> {
        self.journal.attempt.as_ref().map(|attempt| attempt.phase)
    }
}
