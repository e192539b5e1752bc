// Written from controller/src/dashboard/view by `UPDATE_GOLDEN=1 cargo test -p lockflight typescript`.

/** Why an attempt was taken back. */
export interface AbortView {
  /** When it was decided. */
  at: string;
  /** Field manager that gave the command; a claim, not a proof. */
  by: string | null;
  /** The cluster that failed. */
  cluster: string | null;
  /** Whether promoted clusters go back too. */
  fleet: boolean;
  /** What it had to keep to. */
  limit: string | null;
  /** In a sentence. */
  message: string;
  /** The metric that failed. */
  metric: string | null;
  /** Its value. */
  observed: string | null;
  /** Clusters that get their rollback when they return. */
  owed: string[];
  /** In one word. */
  reason: string;
  /** What was taken back. */
  revision: string;
  /** The step at which it failed. */
  step: number | null;
}

/** Whether the user may press something in a namespace. */
export interface ActionRight {
  /** Whether. */
  allowed: boolean;
  /** What. */
  verb: Verb;
  /** Why not. */
  why: string | null;
}

/** Something that can be pressed. */
export interface ActionView {
  /** The attempt that it is about. */
  attempt: number | null;
  /** The cluster of that gate; absent for a wave. */
  cluster: string | null;
  /** What exactly happens, in a sentence. */
  effect: string;
  /** The same as a command line to copy. */
  kubectl: string;
  /** The gate that it opens. */
  token: string | null;
  /** What. */
  verb: Verb;
}

/** The Analysis screen of one cluster of a Rollout. */
export interface AnalysisPage {
  /** The cluster. */
  cluster: string;
  /** Clusters of the Rollout that have shown evidence. */
  clusters: string[];
  /** Namespace of the Rollout. */
  namespace: string;
  /** Name of the Rollout. */
  rollout: string;
  /** One series per metric. */
  series: SeriesView[];
  /** Whether the points are all that there are, or only those that are new. */
  whole: boolean;
}

/** When a person has to agree. */
export type Approval = "None" | "Before" | "After";

/** Events of a revision. */
export interface ArmView {
  /** Bad ones. */
  bad: number;
  /** All. */
  events: number;
}

/** Where an attempt stands. */
export type AttemptPhase = "Progressing" | "Aborting" | "Aborted" | "Completed";

/** An attempt that this process has seen. */
export interface AttemptRecord {
  /** Why it was taken back, in a sentence. */
  abort: string | null;
  /** When it ended. */
  endedAt: string | null;
  /** What served before, when all clusters agreed on it. */
  from: string | null;
  /** Its number. */
  number: number;
  /** Where it stands, or ended: Progressing, Aborting, Aborted or Completed. */
  phase: AttemptPhase;
  /** The revision on trial. */
  revision: string;
  /** When it started. */
  startedAt: string;
  /** Seconds in which it waited for a person, as far as this process was there to see. */
  waitingSeconds: number;
}

/** Why somebody should look. */
export interface Attention {
  /** The cluster that it is about, when it is about one. */
  cluster: string | null;
  /** In a sentence. */
  sentence: string;
  /** How urgent it is. */
  urgency: Urgency;
  /** In one word. */
  word: string;
}

/** One cluster. */
export interface Card {
  /** When the router was seen to have accepted the share that is meant. */
  acknowledgedAt: string | null;
  /** Last share that the router was seen to have accepted. */
  acknowledgedWeight: number;
  /** The most important thing to know. */
  cell: CellState;
  /** What served before. */
  from: string | null;
  /** Name. */
  name: string;
  /** Whether it still has to get its rollback. */
  owedRollback: boolean;
  /** Where it stands. */
  phase: MemberPhase;
  /** Why it failed or cannot go on. */
  problem: string | null;
  /** Ready pods of the new revision. */
  readyPods: number;
  /** Since when. */
  since: string | null;
  /** Step it is at, from 1; 0 before the first. */
  step: number;
  /** Since when the hub has not reached it: all else here is what was last known. */
  unreachableSince: string | null;
  /** What its gates say. */
  verdict: VerdictView | null;
  /** Share that the new revision is meant to have, in per cent. */
  weight: number;
}

/** The most important thing to know of a cluster. The order of the letters in the matrix. */
export type CellState = "Pending" | "Deploying" | "Canary" | "Approval" | "Promoting" | "Promoted" | "RollingBack" | "RolledBack" | "Failed" | "Unknown" | "Owed";

/** Evidence of a metric in a cluster. */
export interface ClusterEvidence {
  /** `ln E` against the new revision there. */
  againstLn: number;
  /** The new revision there. */
  canary: ArmView;
  /** Its name. */
  name: string;
  /** Stable there. */
  stable: ArmView;
}

/** A member. */
export interface ClusterRow {
  /** Namespaces in which Rollouts may act. */
  allowedNamespaces: string[];
  /** Version of its API server. */
  kubernetesVersion: string | null;
  /** Its labels: what placements and waves select. */
  labels: Record<string, string>;
  /** In a sentence. */
  message: string;
  /** Its default source of measurements. */
  metricProvider: string | null;
  /** Name. */
  name: string;
  /** Whether the hub can act there; absent until it has looked. */
  ready: boolean | null;
  /** In one word: Reachable, Unreachable, `InvalidCredentials`. */
  reason: string;
  /** Address of its API server. */
  server: string;
  /** Since when. */
  since: string | null;
}

/** A condition. */
export interface ConditionView {
  /** In a sentence. */
  message: string;
  /** In one word. */
  reason: string;
  /** Since when. */
  since: string | null;
  /** True, False or Unknown. */
  status: string;
  /** Type. */
  type: string;
}

/** Clusters, counted. */
export interface Counts {
  /** That move now, forward or back, as far as is known: not those that are unreachable. */
  moving: number;
  /** That still have to get a rollback. */
  owed: number;
  /** Where the new revision is the stable one. */
  promoted: number;
  /** In the plan. */
  total: number;
  /** That the hub cannot reach. */
  unreachable: number;
}

/** An Event about a Rollout. The hub writes the Events of all clusters on the Rollout itself. */
export interface EventRow {
  /** When it was last seen. */
  at: string | null;
  /** How often it was seen. */
  count: number;
  /** In a sentence. */
  message: string;
  /** In one word. */
  reason: string;
  /** Whether somebody should look. */
  warning: boolean;
}

/** What has been measured of a Rollout so far, in all its clusters. */
export interface EvidencePage {
  /** Gates that wait for a person. */
  gates: GateView[];
  /** Why there are no comparisons to show, if so. */
  missing: string | null;
  /** The comparisons of both revisions; their logarithms are null where they are infinite. */
  standing: EvidenceView | null;
  /** The newest measurement of each threshold in each cluster; only the hub knows them. */
  thresholds: ThresholdView[];
}

/** Evidence of a rollout. Evidence is an e-value, `E`: what a fair bet on that conclusion has made of a stake of 1. Its logarithm is `null` where it is infinite. */
export interface EvidenceView {
  /** That the new revision is worse than stable. */
  against: SideView;
  /** End of the newest window in it. */
  asOf: string | null;
  /** That it is not worse by what has to be ruled out. */
  inFavour: SideView;
  /** Each comparison metric. */
  metrics: MetricEvidence[];
  /** All of it in one sentence. */
  sentence: string;
  /** Set once the bar against it is reached: `fleet`, or the name of a cluster. */
  takenBack: string | null;
}

/** The traffic that forecasts are made for. */
export interface ExpectedView {
  /** Part of them that is bad, from 0 to 1. */
  badShare: number;
  /** Mean size of a batch of bad events. */
  batchMean: number;
  /** Whether it was read from a Prometheus; else it was told, and the last two are as usual. */
  measured: boolean;
  /** The metric that decides. */
  metric: string;
  /** Standard deviation of lasting differences between pods, of the logarithm of their rates. */
  podSd: number;
  /** Requests per second of one cluster. */
  requestsPerSecond: number;
}

/** How soon a release is taken back. */
export interface ForecastView {
  /** It fails so many times as often as stable. */
  factor: number;
  /** Seconds on average; none where it is tolerated or cannot be seen. */
  seconds: number | null;
  /** Whether the margins tolerate it, however much traffic there is. */
  tolerated: boolean;
}

/** What changed since the last frame of the stream. Every object in it is whole and newest. */
export interface Frame {
  /** New points of the analysis that the page has open. */
  analysis?: AnalysisPage | null;
  /** Clusters that changed. */
  clusters?: ClusterRow[];
  /** Clusters that are gone. */
  goneClusters?: string[];
  /** Rollouts that are gone, as namespace/name. */
  goneRollouts?: string[];
  /** Whether the hub's API server answers. */
  live: boolean;
  /** The server's clock, in milliseconds since 1970. */
  nowMs: number;
  /** The Rollout that the page has open, when it changed. */
  page?: RolloutPage | null;
  /** Rollouts that changed. */
  rollouts?: RolloutRow[];
}

/** A gate that waits for a person. */
export interface GateView {
  /** Whether it was already waiting then. */
  perhapsLonger: boolean;
  /** When this process first saw it wait. */
  since: string;
  /** What opens it. */
  token: string;
}

/** The History screen: past attempts and the Events of all clusters. */
export interface HistoryPage {
  /** Attempts, the newest first. */
  attempts: AttemptRecord[];
  /** Events, the newest first. */
  events: EventRow[];
  /** Why there may be no Events to show. */
  eventsMissing: string | null;
  /** Since when this process has kept attempts: it keeps none across restarts. */
  keptSince: string;
}

/** A wave and its clusters. */
export interface Lane {
  /** When a person has to agree: None, Before or After. */
  approval: Approval;
  /** Whether the approval was given. */
  approved: boolean;
  /** Bake after its last cluster, in seconds. */
  bakeSeconds: number;
  /** Its clusters in their order. */
  cards: Card[];
  /** Clusters that may move at the same time. */
  maxConcurrent: number;
  /** Name. */
  name: string;
  /** Where it stands: Waiting, Moving, Baking or Done. */
  phase: WavePhase;
  /** Canary events that every comparison metric must have seen in the bake. */
  samples: number;
  /** Since when. */
  since: string;
}

/** Who looks. */
export interface Me {
  /** To be sent as `x-lockflight-csrf` with everything that changes something. */
  csrf: string | null;
  /** What is looked at, for the page's head. */
  hub: string;
  /** Why nothing can be pressed at all, if so. */
  readOnly: string | null;
  /** Whether there is a session to sign out of. */
  session: boolean;
  /** How the user came to be known. */
  signIn: SignIn;
  /** Name of the user; absent for a reader who is not known. */
  user: string | null;
  /** Version of the server. */
  version: string;
}

/** Where a cluster stands. */
export type MemberPhase = "Pending" | "Deploying" | "Canary" | "Promoting" | "Promoted" | "RollingBack" | "RolledBack";

/** Evidence of a metric. */
export interface MetricEvidence {
  /** `ln E` that the new revision is worse. */
  againstLn: number;
  /** The new revision. */
  canary: ArmView;
  /** Each cluster that has been judged. */
  clusters: ClusterEvidence[];
  /** `ln E` that it is not. */
  inFavourLn: number;
  /** Its name. */
  name: string;
  /** Requests of the new revision without a bad one that would prove it good. */
  neededEvents: number;
  /** Whether promotion waits for it. */
  promotes: boolean;
  /** Stable. */
  stable: ArmView;
}

/** What a rollout's state means to whoever waits for it. */
export type Outcome = "Moving" | "Waiting" | "Completed" | "Aborted" | "Stalled";

/** The Plan screen: what a Rollout will do and what its gates can see. */
export interface PlanPage {
  /** The cluster whose gates have counted the traffic of the forecasts; none where it was told. */
  countedIn: string | null;
  /** The Rollout as a manifest, to change and to plan; none for whoever is not known, and where the plan is that of a manifest already. */
  manifest: string | null;
  /** Whether the gates decide by how much traffic there is: then forecasts need it. */
  needsTraffic: boolean;
  /** The plan; none where there are problems. */
  plan: PlanView | null;
  /** What keeps the plan from being made. */
  problems: string[];
}

/** The plan of a rollout. */
export interface PlanView {
  /** Always `cli.lockflight.dev/v1`. */
  apiVersion: string;
  /** Persons' agreements that it asks for. */
  approvals: number;
  /** Seconds from the end of its bake after which a step without enough evidence is undecided. */
  decisionDeadlineSeconds: number;
  /** Always `PlanView`. */
  kind: string;
  /** The least time of the whole rollout, in seconds, approvals left aside. */
  leastSeconds: number;
  /** Its name. */
  name: string;
  /** Namespace of the rollout. */
  namespace: string;
  /** The steps in each cluster. */
  steps: PlannedStepView[];
  /** Whether the hub has committed to this plan; else it is what a new attempt would get. */
  stored: boolean;
  /** The traffic that the forecasts are made for; none without forecasts. */
  traffic: ExpectedView | null;
  /** The waves. */
  waves: PlannedWaveView[];
}

/** A step of the plan. */
export interface PlannedStepView {
  /** When a person has to agree. */
  approval: Approval;
  /** How soon worse releases are taken back in it, in one cluster alone. */
  detections: ForecastView[];
  /** The smallest difference of bad shares that can be ruled out before the step is undecided. */
  differenceShown: number | null;
  /** The same in the others. */
  leastSeconds: number;
  /** Its least time in the first cluster of a wave, in seconds: bake, dwell and measured windows. */
  leastSecondsFirst: number;
  /** Seconds until a release as good as stable has been shown not to be bad; none where that takes too long. */
  proofSeconds: number | null;
  /** Requests that it must have counted. */
  samples: number;
  /** Share of the traffic in per cent. */
  weight: number;
}

/** A wave of the plan. */
export interface PlannedWaveView {
  /** When a person has to agree. */
  approval: Approval;
  /** Bake after the last cluster, in seconds. */
  bakeSeconds: number;
  /** Its clusters, in their order. */
  clusters: string[];
  /** Its least time, in seconds. */
  leastSeconds: number;
  /** Clusters that move at the same time. */
  maxConcurrent: number;
  /** Its name. */
  name: string;
}

/** What went wrong, and what to do about it. */
export interface Problem {
  /** In a sentence. */
  message: string;
  /** In one word. */
  reason: string;
  /** What to do. */
  remedy: string | null;
  /** How to sign in, when that is what is missing. */
  signIn: SignIn | null;
}

/** A Rollout, whole. */
export interface RolloutPage {
  /** Why the attempt was taken back. */
  abort: AbortView | null;
  /** What can be pressed, with its exact effect. */
  actions: ActionView[];
  /** Templates of the metrics that gate the steps. */
  analysis: string[];
  /** The conditions of the status. */
  conditions: ConditionView[];
  /** Waves in their order, each with its clusters. */
  lanes: Lane[];
  /** Pods of one revision at full size, per cluster. */
  replicas: number;
  /** The same Rollout as a row. */
  row: RolloutRow;
  /** Steps that every cluster takes. */
  steps: StepView[];
  /** What is waited for. */
  waiting: Wait[];
  /** The revision that the spec asks for. */
  wantedRevision: string | null;
  /** Why it stands where it stands. */
  why: Why;
}

/** A Rollout in one row. */
export interface RolloutRow {
  /** Number of the attempt. */
  attempt: number | null;
  /** Why somebody should look, if somebody should. */
  attention: Attention | null;
  /** Clusters of the plan, counted. */
  counts: Counts;
  /** When it ended. */
  endedAt: string | null;
  /** Shortest time that the plan can take, and how many approvals it needs. */
  estimate: string | null;
  /** What served before, when all clusters agree on it. */
  from: string | null;
  /** Whether it is going back. */
  goingBack: boolean;
  /** The state in a sentence. */
  message: string | null;
  /** Name. */
  name: string;
  /** Namespace. */
  namespace: string;
  /** What the state means to whoever waits for the rollout. */
  outcome: Outcome;
  /** Value of the pause annotation, while there is one. */
  paused: string | null;
  /** The revision on trial, or the one that serves. */
  revision: string | null;
  /** When the attempt started. */
  startedAt: string | null;
  /** State in one word: the reason of the condition Ready. */
  state: string;
  /** Earliest moment at which a wait can end, where one is known. */
  until: string | null;
  /** The wave that moves, as number/of name. */
  wave: string | null;
  /** The mini matrix: one cell per cluster, wave by wave. */
  waves: WaveCells[];
  /** Highest share of the new revision in a moving cluster, in per cent. */
  weight: number | null;
}

/** How a series is judged; in the order in which they are shown. */
export type SeriesKind = "Together" | "Comparison" | "Threshold";

/** One metric in one cluster. All columns have the same length, but those that a series of its kind does not have: they are empty. */
export interface SeriesView {
  /** The bar at which this evidence alone takes the release back. */
  abortBar: (number | null)[];
  /** Natural logarithm of the evidence, over all clusters, that the new revision is worse. */
  abortEvidence: (number | null)[];
  /** Milliseconds since 1970. */
  atMs: number[];
  /** Attempt that the points belong to. */
  attempt: number;
  /** Numbers that a threshold compares with. */
  bounds: number[];
  /** Comparison: bad events of the new revision in this cluster, so far in the attempt. */
  canaryBad: number[];
  /** Comparison: all events of the new revision. */
  canaryTotal: number[];
  /** Points that were dropped because the ring is full. */
  dropped: number;
  /** Whether nothing follows from it. */
  informs: boolean;
  /** How it is judged. */
  kind: SeriesKind;
  /** What is allowed, in words; empty where the bars say it. */
  limit: string;
  /** The last verdict in a sentence. */
  message: string;
  /** Name of the metric, with that of its template. */
  metric: string;
  /** The bar at which the last step may end. */
  promoteBar: (number | null)[];
  /** Natural logarithm of the evidence, over all clusters, that the new revision is good enough. */
  promoteEvidence: (number | null)[];
  /** What is asked of the source, as far as it is known. */
  query: string | null;
  /** Comparison: bad events of the stable revision. */
  stableBad: number[];
  /** Comparison: all events of the stable revision. */
  stableTotal: number[];
  /** Step of the rollout in this cluster, from 1. */
  step: number[];
  /** Threshold: the number that was measured; none where there was no usable one. */
  value: (number | null)[];
  /** The last verdict in one word. */
  verdict: VerdictState;
  /** The verdict at that moment. */
  verdicts: VerdictState[];
}

/** Evidence for a conclusion, and what it has to reach. */
export interface SideView {
  /** What it has to reach. */
  barLn: number;
  /** The natural logarithm of the e-value. */
  lnE: number;
}

/** How users become known. */
export type SignIn = "Nobody" | "Token" | "Proxy" | "Code";

/** Everything that the Fleet and Clusters screens need, at one moment. */
export interface Snapshot {
  /** Clusters, if the user may see them. */
  clusters: ClusterRow[];
  /** Where this stands in the stream: the value for `Last-Event-ID`. */
  cursor: string;
  /** Whether the hub's API server answers; if not, everything here may be old. */
  live: boolean;
  /** The server's clock, in milliseconds since 1970: countdowns follow it, not the browser's. */
  nowMs: number;
  /** Rollouts that the user may see. */
  rollouts: RolloutRow[];
}

/** A step that every cluster takes. */
export interface StepView {
  /** When a person has to agree: None, Before or After. */
  approval: Approval;
  /** Bake in the other clusters of a wave, in seconds. */
  bakeSeconds: number;
  /** Bake in the first cluster of a wave, in seconds. */
  bakeSecondsFirst: number;
  /** Number, from 1. */
  number: number;
  /** Canary events that every comparison metric must have seen. */
  samples: number;
  /** Share of the traffic in per cent. */
  weight: number;
}

/** The newest measurement of a threshold in a cluster. */
export interface ThresholdView {
  /** When it was measured. */
  at: string;
  /** The cluster. */
  cluster: string;
  /** Whether nothing follows from it. */
  informs: boolean;
  /** What is allowed, in words. */
  limit: string;
  /** The verdict in a sentence. */
  message: string;
  /** Name of the metric, with that of its template. */
  metric: string;
  /** The number; none where there was no usable one. */
  value: number | null;
  /** The verdict in one word. */
  verdict: VerdictState;
}

/** How urgent it is; the order in which the Fleet screen lists. */
export type Urgency = "Critical" | "Blocked" | "Asked";

/** Commands on a Rollout. */
export type Verb = "Promote" | "Abort" | "Pause" | "Resume" | "Retry";

/** A verdict. */
export type VerdictState = "Pass" | "Fail" | "Watch" | "NoData" | "Error";

/** What the gates of a cluster say. */
export interface VerdictView {
  /** In a sentence. */
  message: string;
  /** In one word: Pass, Fail, Watch, `NoData` or Error. */
  state: VerdictState;
}

/** Something that the rollout waits for. */
export interface Wait {
  /** The cluster that waits; absent when a wave or the rollout does. */
  cluster: string | null;
  /** In a sentence. */
  message: string;
  /** In one word. */
  reason: string;
  /** What opens the gate. */
  token: string | null;
  /** Earliest end, where it is known. */
  until: string | null;
}

/** Cells of one wave, column by column: a thousand rows of fifty clusters stay small. */
export interface WaveCells {
  /** Names of its clusters, in their order. */
  clusters: string[];
  /** Name of the wave. */
  name: string;
  /** Where it stands. */
  phase: WavePhase;
  /** One letter per cluster; see [`CellState::letter`]. */
  states: string;
  /** Share of the new revision in each cluster, in per cent. */
  weights: number[];
}

/** Where a wave stands. */
export type WavePhase = "Waiting" | "Moving" | "Baking" | "Done";

/** Who or what a rollout waits for. */
export type Who = "Person" | "Clock" | "Evidence" | "Clusters" | "GoingBack" | "Nothing";

/** Why a rollout stands where it stands. */
export interface Why {
  /** The sentence. */
  sentence: string;
  /** Earliest moment at which it can go on, where that is known. */
  until: string | null;
  /** Who or what it waits for. */
  who: Who;
}
