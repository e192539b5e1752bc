//! All that a plan may know.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    ids::{MemberId, Revision},
    journal::Journal,
    pods::PodFacts,
};

/// Everything that one pass decides upon, taken at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The moment.
    pub now: DateTime<Utc>,
    /// Identity of the Rollout object; part of every token.
    pub uid: String,
    /// The Rollout is being deleted.
    pub deleting: bool,
    /// Members out of reach shall be given up on deletion.
    pub force_delete: bool,
    /// Our finalizer is on the object.
    pub finalizer: bool,
    /// What the user asks for; absent while the spec is not valid (then nothing moves forward).
    pub policy: Option<Policy>,
    /// What was committed.
    pub journal: Journal,
    /// Tokens shown to users by the last status.
    pub shown_tokens: BTreeSet<String>,
    /// Commands found on the object.
    pub commands: Commands,
    /// The members of the placement and of the journal, as seen.
    pub members: BTreeMap<MemberId, Observed>,
    /// What the gates say.
    pub evidence: BTreeMap<MemberId, Evidence>,
}

/// The spec, parsed and resolved against the fleet as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The revision asked for.
    pub revision: Revision,
    /// Pods of a revision at full size, per member.
    pub replicas: u32,
    /// The steps a new attempt would take.
    pub steps: Vec<PlannedStep>,
    /// The waves a new attempt would take.
    pub waves: Vec<PlannedWave>,
    /// Whether metrics gate a new attempt.
    pub gated: bool,
    /// How long the steps of a new attempt may take to gather evidence.
    pub pacing: Pacing,
    /// Members that may fail.
    pub failed_max: usize,
    /// Members that may be out of reach.
    pub unreachable: UnreachableBudget,
    /// How far an abort goes.
    pub rollback: RollbackScope,
    /// How long a step may wait for pods or the router.
    pub progress_deadline: TimeDelta,
    /// How long old pods stay after the end.
    pub scale_down_delay: TimeDelta,
}

/// How long a step may take to gather its evidence, and how much it needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pacing {
    /// Least time of a step, from its first measured window.
    pub dwell_min: TimeDelta,
    /// Time after which an early step goes on unless something speaks against the release.
    pub dwell_max: TimeDelta,
    /// Time after its bake at which a step without enough evidence is undecided.
    pub decision_deadline: TimeDelta,
    /// Chance that a bad release passes, above 0 and below 1; its inverse is the last step's bar.
    pub missed: f64,
}

/// How many members may be out of reach while the others go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreachableBudget {
    /// None in the first two waves, then this many.
    AfterSecondWave(usize),
    /// This many.
    Fixed(usize),
}

/// How far an abort by a failed gate goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackScope {
    /// Everywhere for the first two waves and for two failed members, else unpromoted members.
    Auto,
    /// Everywhere.
    Fleet,
    /// Unpromoted members.
    Cluster,
}

/// When a person has to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// Never.
    None,
    /// Before.
    Before,
    /// After.
    After,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStep {
    /// Share in per cent, 1 to 100.
    pub weight: u8,
    /// Bake in the first member of a wave.
    pub bake_first: TimeDelta,
    /// Bake in the others.
    pub bake: TimeDelta,
    /// Canary events that every comparison metric must have seen.
    pub samples: u64,
    /// Whether a person has to agree.
    pub approval: Approval,
}

/// One wave of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedWave {
    /// Name.
    pub name: String,
    /// Members in the order in which they start.
    pub members: Vec<MemberId>,
    /// How many may move at once, at least 1.
    pub concurrent_max: usize,
    /// Bake after the last member.
    pub bake: TimeDelta,
    /// Canary events that every comparison metric must have seen.
    pub samples: u64,
    /// Whether a person has to agree.
    pub approval: Approval,
}

/// Commands found on the object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands {
    /// Value of the promote annotation.
    pub promote: Option<String>,
    /// Value of the abort annotation; empty counts as absent.
    pub abort: Option<String>,
    /// Field manager that set it.
    pub abort_by: Option<String>,
    /// Forward movement is stopped.
    pub paused: bool,
    /// Value of the retry annotation.
    pub retry: Option<String>,
}

/// A member as seen.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all members are known")]
pub enum Observed {
    /// Reached lately.
    Known(Facts),
    /// Not reached since; its state is unknown, which is neither failed nor done.
    Unknown {
        /// Last contact.
        since: DateTime<Utc>,
        /// Why it cannot be reached.
        why: String,
    },
}

/// What is in a member of this Rollout.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The stable Service.
    pub stable: Option<ServiceFacts>,
    /// The canary Service.
    pub canary: Option<ServiceFacts>,
    /// Our Deployments by revision.
    pub deployments: BTreeMap<Revision, DeploymentFacts>,
    /// The routes that the spec names, in its order.
    pub routes: Vec<RouteFacts>,
    /// Writes that the member's API server refused, in sentences.
    pub refusals: Vec<String>,
}

/// Which of the two Services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Names the revision that serves.
    Stable,
    /// Names the revision on trial; at rest the one that serves.
    Canary,
}

/// A Service of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceFacts {
    /// The revision that its selector names.
    pub selects: Option<Revision>,
    /// Ready endpoints by revision.
    pub endpoints: BTreeMap<Revision, u32>,
    /// Ready endpoints that belong to no pod of ours.
    pub strays: u32,
    /// Attempt under which we last wrote it.
    pub attempt: i64,
    /// Tombstone: a revision that was taken back.
    pub aborted: Option<Revision>,
    /// The field manager other than ours that last changed the selector.
    pub manager: Option<String>,
}

/// A Deployment of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentFacts {
    /// Pods asked for.
    pub replicas: u32,
    /// Ready pods that are not being deleted.
    pub ready: u32,
    /// Its pods that are not being deleted.
    pub pods: Vec<PodFacts>,
    /// Why its pods do not come up, if that is known.
    pub problem: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// A route that the spec names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteFacts {
    /// Name.
    pub name: String,
    /// What it is like.
    pub state: RouteState,
}

/// What a route is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteState {
    /// Not there.
    Missing,
    /// There, but not usable as it is; why.
    Unsupported(String),
    /// Usable.
    Present {
        /// Lowest share of the canary Service over our rules, in per cent.
        lowest: u8,
        /// Highest share of the canary Service over our rules, in per cent.
        highest: u8,
        /// Every parent has accepted the route's current generation and resolved its references.
        acknowledged: bool,
        /// Why it is not acknowledged, if the router says so.
        complaint: Option<String>,
        /// Field manager other than ours that last changed the rules.
        manager: Option<String>,
    },
}

/// A verdict over all metrics of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All pass.
    Pass,
    /// One fails.
    Fail,
    /// More evidence is needed.
    Watch,
    /// No usable data.
    NoData,
    /// The source or the query is broken.
    Error,
}

/// What a gate says; only the gate that it names may use it.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// The attempt it was gathered for.
    pub attempt: i64,
    /// The step it was gathered for.
    pub step: usize,
    /// Start of its window: the gate's own opening moment.
    pub opened_at: DateTime<Utc>,
    /// When it was judged.
    pub judged_at: DateTime<Utc>,
    /// The verdict.
    pub verdict: Verdict,
    /// Canary events seen by the comparison metric that saw fewest; none without such metrics.
    pub samples: Option<u64>,
    /// Nothing more will come by itself, and nothing but this keeps the way shut: a person may let
    /// the step pass.
    pub undecided: bool,
    /// The verdict in a sentence.
    pub message: String,
    /// The metric that decided, when it failed.
    pub decisive: Option<Decisive>,
    /// What the comparison metrics have shown; none where nothing is compared.
    pub standing: Option<Standing>,
}

/// What the comparison metrics of a gate have shown so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Windows of this step that counted in this member.
    pub windows: u32,
    /// Start of the first of them.
    pub first_window_at: Option<DateTime<Utc>>,
    /// Evidence that the release is worse than stable, now: the logarithm of an e-value.
    pub against_ln: f64,
    /// Evidence that it is not bad, over the whole fleet: the logarithm of an e-value.
    pub in_favour_ln: f64,
}

/// The metric that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decisive {
    /// Name.
    pub metric: String,
    /// Value seen.
    pub observed: String,
    /// What it had to keep to.
    pub limit: String,
    /// Whether the evidence is the fleet's, not this member's alone.
    pub fleet: bool,
}

impl Facts {
    /// The Service of that role.
    #[must_use]
    pub fn service(&self, role: Role) -> Option<&ServiceFacts> {
        match role {
            Role::Stable => self.stable.as_ref(),
            Role::Canary => self.canary.as_ref(),
        }
    }

    /// Ready pods of a revision.
    #[must_use]
    pub fn ready(&self, revision: &Revision) -> u32 {
        self.deployments.get(revision).map_or(0, |deployment| deployment.ready)
    }

    /// Whether a Service names the revision.
    #[must_use]
    pub fn selects(&self, role: Role, revision: &Revision) -> bool {
        self.service(role).is_some_and(|service| service.selects.as_ref() == Some(revision))
    }

    /// Whether the endpoints of a Service are exactly the revision's ready pods, and not none.
    #[must_use]
    pub fn serves_exactly(&self, role: Role, revision: &Revision) -> bool {
        self.service(role).is_some_and(|service| {
            service.selects.as_ref() == Some(revision)
                && service.strays == 0
                && service.endpoints.keys().all(|other| other == revision)
                && service.endpoints.get(revision).copied().unwrap_or(0) > 0
                && service.endpoints.get(revision).copied().unwrap_or(0) == self.ready(revision)
        })
    }

    /// Highest share of the canary Service over all routes, in per cent.
    #[must_use]
    pub fn highest_share(&self) -> u8 {
        let shares = self.routes.iter().map(|route| match &route.state {
            RouteState::Present { highest, .. } => *highest,
            RouteState::Missing | RouteState::Unsupported(_) => 0,
        });
        shares.max().unwrap_or(0)
    }

    /// Whether every route gives the canary Service exactly this weight.
    #[must_use]
    pub fn weighs(&self, weight: u8) -> bool {
        self.routes.iter().all(|route| match &route.state {
            RouteState::Present { lowest, highest, .. } => *lowest == weight && *highest == weight,
            RouteState::Missing | RouteState::Unsupported(_) => false,
        })
    }

    /// Marks every route as not acknowledged: a write of ours to it is under way, so what it says
    /// now may not last. Without this, a raise that a change of mind has overtaken could land
    /// after the weight was taken to be back.
    pub fn unsettle_routes(&mut self) {
        for route in &mut self.routes {
            if let RouteState::Present { acknowledged, .. } = &mut route.state {
                *acknowledged = false;
            }
        }
    }

    /// Whether every route gives the canary Service this weight and its router has accepted it.
    #[must_use]
    pub fn acknowledged(&self, weight: u8) -> bool {
        self.weighs(weight)
            && self.routes.iter().all(|route| match &route.state {
                RouteState::Present { acknowledged, .. } => *acknowledged,
                RouteState::Missing | RouteState::Unsupported(_) => false,
            })
    }
}
