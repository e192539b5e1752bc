//! A service with its load, that gets one release after the other.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use lockflight_crds::{AttemptPhase, Rollout, names, revision_of};
use tokio::time::Instant;

use super::super::ground::{Ground, MEMBER, RELEASE, SOON};
use super::argo::Gate;
use super::samples::{ClusterSamples, Scrapes, deltas, fetch};
use super::setting::{self, DECISION_DEADLINE};
use super::table::{Ending, FAILURE_LIMITS, Group, Trial, Verdict};
use super::{excess::excess, samples};
use crate::service::{DemoService, ServiceLoad, ServiceReport, ended};
use crate::{addresses, apply, wait};

/// Stable's pods are warm, and have shown how they vary, after so many scrapes of each, one a
/// second.
const WARM_SCRAPES: usize = 20;
/// After it a release is taken for undecided, whatever it waits for: two steps that end by time,
/// one that waits until its deadline, a wave after it, and a margin.
const LONGEST: Duration = Duration::from_secs(DECISION_DEADLINE.as_secs() + 180);
/// Within it Prometheus has scraped what it should have: three times what it takes.
const SCRAPED: Duration = Duration::from_mins(1);

/// A running service.
pub(super) struct Shop {
    service: DemoService,
    /// From the first version on: before it, every request would be lost.
    load: Option<ServiceLoad>,
    seed: u64,
    releases: u32,
    /// Version and revision of what is stable.
    stable: (String, String),
}

/// How a release ended, and when.
struct End {
    ending: Ending,
    at: DateTime<Utc>,
    sentence: String,
}

impl Shop {
    /// Opens shop number `seed`; nothing serves there before [`Self::reset`]. One at a time: the
    /// members are registered anew for each namespace.
    pub(super) async fn open(ground: &Ground, seed: u32) -> anyhow::Result<Self> {
        let namespace = format!("bench-judge-{seed}");
        let settings = setting::settings();
        let service = DemoService::create(&ground.fleet, &namespace, "shop", settings).await?;
        apply::apply(&ground.fleet.hub.client(), &setting::template(&namespace)).await?;
        let (seed, stable) = (u64::from(seed), (String::new(), String::new()));
        Ok(Self { service, load: None, seed, releases: 0, stable })
    }

    /// Sends nothing more; what was sent.
    pub(super) async fn close(self) -> ServiceReport {
        match self.load {
            Some(load) => load.stop().await,
            None => ServiceReport::default(),
        }
    }

    /// A new version that is as stable ought to be serves, whatever was there before.
    pub(super) async fn reset(&mut self) -> anyhow::Result<()> {
        let version = self.next_version();
        let release = setting::release(&version, Group::Equal, self.seed);
        let rollout = self.service.establish(&release, RELEASE).await?;
        self.became_stable(version, &rollout);
        if self.load.is_none() {
            self.load = Some(self.service.shaped_load(&setting::RATES, setting::LOAD)?);
        }
        self.until_warm().await
    }

    /// Releases, waits for the verdict and asks what others would have made of it.
    pub(super) async fn release(&mut self, group: Group, number: u32) -> anyhow::Result<Trial> {
        let version = self.next_version();
        // Of the pods that were a canary before, other ones may be slow.
        self.service.control(MEMBER, &self.stable.0, setting::NO_SLOW_POD).await?;
        self.service.control_one(MEMBER, &self.stable.0, setting::SLOW_POD).await?;
        let begun = Instant::now();
        let release = setting::release(&version, group, self.seed);
        let rollout = self.service.release(&release).await?;
        let revision = revision_of(&rollout.spec);
        let slow = async {
            let slow = || self.service.control_one(MEMBER, &version, setting::SLOW_POD);
            wait::until("a pod of the canary", SOON, slow).await
        };
        let (end, ()) = tokio::try_join!(self.end(), slow)?;
        self.until_scraped_after(Utc::now()).await?;
        let clusters = self.clusters(&revision, begun.elapsed()).await?;
        let trial = judge(group, number, &end, &clusters)?;

        let gone = if end.ending == Ending::Promoted {
            let gone = self.stable.0.clone();
            self.became_stable(version, &rollout);
            gone
        } else {
            version
        };
        self.pods_gone(&gone).await?;
        if end.ending == Ending::Promoted && group != Group::Equal {
            self.reset().await?;
        }
        Ok(trial)
    }

    fn next_version(&mut self) -> String {
        self.releases += 1;
        format!("v{}", self.releases)
    }

    fn became_stable(&mut self, version: String, rollout: &Rollout) {
        self.stable = (version, revision_of(&rollout.spec));
    }

    /// Waits for the verdict; a release that is held is taken back.
    async fn end(&self) -> anyhow::Result<End> {
        let mut last = String::new();
        let reached = |rollout: &Rollout| {
            if let Some(words) = words(rollout) {
                last = words;
            }
            ended(rollout).is_some() || held(rollout).is_some()
        };
        let seen = self.service.wait_for("a verdict", LONGEST, reached).await;
        let Ok(rollout) = seen else {
            let sentence = format!("no verdict after {LONGEST:?}: {last}");
            return self.take_back(sentence).await;
        };
        if let Some(sentence) = held(&rollout) {
            return self.take_back(sentence).await;
        }
        let status = rollout.status.as_ref().context("a Rollout without status")?;
        let attempt = status.attempt.as_ref().context("a Rollout without an attempt")?;
        let ended_at = attempt.ended_at.context("an attempt without an end")?;
        if attempt.phase == AttemptPhase::Completed {
            return Ok(End { ending: Ending::Promoted, at: ended_at, sentence: last });
        }
        let abort = status.abort.as_ref().context("an abort without a reason")?;
        let sentence = format!("{}: {}", abort.reason, abort.message);
        Ok(End { ending: Ending::Aborted, at: abort.at, sentence })
    }

    async fn take_back(&self, sentence: String) -> anyhow::Result<End> {
        let at = Utc::now();
        self.service.annotate(names::ABORT_ANNOTATION, "undecided").await?;
        self.service.aborted(RELEASE).await?;
        Ok(End { ending: Ending::Open, at, sentence })
    }

    /// What the members' Prometheus have of the last `span`.
    async fn clusters(&self, canary: &str, span: Duration) -> anyhow::Result<Vec<ClusterSamples>> {
        let arm = async |index: u8, revision: &str, born: bool| {
            let prometheus = (addresses::prometheus(index), addresses::PROMETHEUS_PORT);
            let prefix = names::deployment(self.service.name(), revision);
            let namespace = self.service.namespace();
            deltas(&fetch(SocketAddr::from(prometheus), namespace, &prefix, span).await?, born)
        };
        let clusters = self.service.places().iter().map(async |place| {
            let canary = arm(place.index, canary, true).await?;
            let stable = arm(place.index, &self.stable.1, false).await?;
            anyhow::Ok(samples::ClusterSamples { canary, stable })
        });
        try_join_all(clusters).await
    }

    /// The scrapes of stable's pods that a member's Prometheus has kept, per pod.
    async fn scrapes(&self, index: u8) -> anyhow::Result<Vec<Scrapes>> {
        let prometheus = (addresses::prometheus(index), addresses::PROMETHEUS_PORT);
        let prefix = names::deployment(self.service.name(), &self.stable.1);
        let span = SCRAPED * 2;
        let answer =
            fetch(SocketAddr::from(prometheus), self.service.namespace(), &prefix, span).await?;
        samples::scrapes(&answer)
    }

    /// Until every pod of stable was scraped often enough.
    async fn until_warm(&self) -> anyhow::Result<()> {
        let places = self.service.places();
        wait::until("stable's pods to be warm", SCRAPED, async || {
            for place in places {
                let least = self.scrapes(place.index).await?.iter().map(|pod| pod.count).min();
                let least = least.with_context(|| format!("no scrape in {}", place.name))?;
                let name = &place.name;
                anyhow::ensure!(least >= WARM_SCRAPES, "{least} scrapes of a pod in {name}");
            }
            Ok(())
        })
        .await
    }

    /// Until Prometheus has scraped some pod of stable in every member twice after this: then the
    /// last answers of a release can be read.
    async fn until_scraped_after(&self, at: DateTime<Utc>) -> anyhow::Result<()> {
        let places = self.service.places();
        wait::until("the last answers to be scraped", SCRAPED, async || {
            for place in places {
                let pods = self.scrapes(place.index).await?;
                let scraped = pods.iter().any(|pod| pod.last_but_one.is_some_and(|last| last > at));
                anyhow::ensure!(scraped, "no two scrapes in {} since {at}", place.name);
            }
            Ok(())
        })
        .await
    }

    async fn pods_gone(&self, version: &str) -> anyhow::Result<()> {
        let params = ListParams::default().labels(&format!("version={version}"));
        wait::until("the pods of the other revision to end", SOON, async || {
            for place in self.service.places() {
                let pods: Api<Pod> =
                    Api::namespaced(place.client.clone(), self.service.namespace());
                let left = pods.list(&params).await?.items.len();
                anyhow::ensure!(left == 0, "{left} are left in {}", place.name);
            }
            Ok(())
        })
        .await
    }
}

/// All verdicts on what the samples show.
fn judge(
    group: Group,
    number: u32,
    end: &End,
    clusters: &[ClusterSamples],
) -> anyhow::Result<Trial> {
    let begun = clusters.iter().filter_map(ClusterSamples::begun).min();
    let begun = begun.context("no scrape has seen the canary answer")?;
    let verdict = |ending, at: Option<DateTime<Utc>>, until| Verdict {
        ending,
        seconds: at.map(|at| (at - begun).as_seconds_f64()),
        excess: clusters.iter().map(|cluster| excess(cluster, until)).sum(),
    };
    // Taken back, a release does harm until its traffic is gone; promoted, for ever.
    let until = if end.ending == Ending::Promoted { end.at } else { Utc::now() };
    let mut verdicts = [verdict(end.ending, Some(end.at), until); 1 + FAILURE_LIMITS.len()];
    for (place, failure_limit) in verdicts.iter_mut().skip(1).zip(FAILURE_LIMITS) {
        let aborted = Gate::new(failure_limit)?.aborts(clusters, end.at);
        *place = match (aborted, end.ending) {
            (Some(at), _) => verdict(Ending::Aborted, Some(at), at),
            (None, Ending::Promoted) => verdict(Ending::Promoted, None, until),
            (None, _) => verdict(Ending::Open, None, until),
        };
    }
    Ok(Trial { group, number, verdicts, sentence: end.sentence.clone() })
}

/// Why the release waits for a person, if it does.
fn held(rollout: &Rollout) -> Option<String> {
    let waiting = rollout.status.as_ref()?.waiting.iter();
    let held = waiting.clone().find(|waiting| waiting.reason == "Undecided")?;
    Some(format!("{}: {}", held.cluster.as_deref().unwrap_or("all"), held.message))
}

/// The latest verdicts of all members.
fn words(rollout: &Rollout) -> Option<String> {
    let members = rollout.status.as_ref()?.members.iter();
    let words: Vec<String> = members
        .filter_map(|member| {
            Some(format!(
                "{} step {}: {}",
                member.name,
                member.step,
                member.verdict.as_ref()?.message
            ))
        })
        .collect();
    (!words.is_empty()).then(|| words.join("; "))
}
