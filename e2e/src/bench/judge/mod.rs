//! The judge on real releases: what becomes of good ones and of bad ones, and what a gate of Argo
//! Rollouts would have made of the same samples.

mod argo;
mod excess;
mod samples;
mod setting;
mod shop;
mod table;

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use futures::future::try_join_all;

use self::shop::Shop;
use self::table::{Ending, Group, JUDGES, Trial, Verdict};
use super::ground::Ground;
use super::row::Findings;
use crate::service::ServiceReport;

/// The longest disturbance of one cluster that must not decide alone: a minute, compressed as
/// the scrapes are. Gates of others measure as often.
const EPISODE: TimeDelta = TimeDelta::seconds(4);

/// Makes so many releases of each group and prints the table. The notes come back, with the bars
/// that were missed.
pub(super) async fn measure(
    ground: &Ground,
    runs: u32,
    services: u32,
) -> anyhow::Result<(Findings, Vec<String>)> {
    anyhow::ensure!(
        setting::RATES.iter().all(|(member, _)| ground.fleet.member(member).is_ok()),
        "figure judge needs three members"
    );
    // Those that take longest first.
    let order = [Group::Twice, Group::Equal, Group::FiveTimes];
    let queue: VecDeque<_> =
        order.into_iter().flat_map(|group| (1..=runs).map(move |run| (group, run))).collect();
    let mut shops = Vec::new();
    for seed in 1..=services.min(u32::try_from(queue.len())?) {
        shops.push(Shop::open(ground, seed).await?);
    }
    let notes = vec![how(shops.len())];
    let (queue, trials) = (Mutex::new(queue), Mutex::new(Vec::new()));
    let work = shops.into_iter().map(async |mut shop| {
        shop.reset().await?;
        // Ends with the queue.
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((group, run)) = next else {
                return anyhow::Ok(shop.close().await);
            };
            let trial = match Box::pin(shop.release(group, run)).await {
                Ok(trial) => trial,
                Err(error) => {
                    shop.reset().await?;
                    broken(group, run, &error)
                }
            };
            eprintln!("{}", progress(&trial));
            trials.lock().unwrap_or_else(PoisonError::into_inner).push(trial);
        }
    });
    let reports = try_join_all(work).await?;
    let mut trials = trials.into_inner().unwrap_or_else(PoisonError::into_inner);
    trials
        .sort_by_key(|trial| (order.iter().position(|group| *group == trial.group), trial.number));
    table::print(&table::lines(&trials));
    let mut findings = Findings { rows: Vec::new(), notes };
    findings.notes.push(traffic(&reports));
    Ok((findings, table::misses(&trials)))
}

/// A release of which nothing is known counts as undecided.
fn broken(group: Group, number: u32, error: &anyhow::Error) -> Trial {
    let open = Verdict { ending: Ending::Open, seconds: None, excess: 0.0 };
    Trial { group, number, verdicts: [open; JUDGES.len()], sentence: format!("failed: {error:#}") }
}

fn progress(trial: &Trial) -> String {
    let verdicts = JUDGES.iter().zip(&trial.verdicts).map(|(judge, verdict)| {
        let after = verdict.seconds.map(|seconds| format!(" after {seconds:.0} s"));
        format!("{judge}: {:?}{}", verdict.ending, after.unwrap_or_default())
    });
    let verdicts: Vec<String> = verdicts.collect();
    format!(
        "{} {}: {}; {:.0} failed beyond stable's rate; {}",
        trial.group.name(),
        trial.number,
        verdicts.join(", "),
        trial.verdicts[0].excess,
        trial.sentence
    )
}

fn how(services: usize) -> String {
    format!(
        "judge: {services} services at a time, {:?} requests/s, {} % errors, scraped every second; \
         {:?}; {:?}; one pod of each revision in {} is slow: {}. Default margins and chances; \
         undecided after {:?} in a step. Argo's gate is asked every {} s, from {} s after the \
         canary's first request on, about the last {} s, in each cluster alone; what ours ended \
         first is undecided there",
        setting::RATES,
        setting::SHARE * 100.0,
        setting::NOISE,
        setting::LOAD,
        super::MEMBER,
        setting::SLOW_POD,
        setting::DECISION_DEADLINE,
        EPISODE.num_seconds(),
        EPISODE.num_seconds(),
        EPISODE.num_seconds(),
    )
}

fn traffic(reports: &[ServiceReport]) -> String {
    let sum = |count: fn(&ServiceReport) -> u64| reports.iter().map(count).sum::<u64>();
    format!(
        "judge: {} requests, {} answered with an error by the application, {} lost or failed at a \
         gateway, {} not sent because too many were in flight",
        sum(ServiceReport::sent),
        sum(ServiceReport::application_errors),
        sum(ServiceReport::failed),
        sum(ServiceReport::overrun),
    )
}
