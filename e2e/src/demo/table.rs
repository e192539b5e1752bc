//! The final table: every request, by cluster and version.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::load::LoadReport;
use crate::service::ServiceReport;

const HEAD: [&str; 7] = ["cluster", "version", "answers", "200", "500", "median", "p99"];

/// Requests per cluster and version, and what was lost, as text that ends with a line break.
pub(super) fn requests(report: &ServiceReport) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    for (member, load) in &report.members {
        rows.extend(
            load.by_version.iter().map(|(version, statuses)| row(member, version, statuses, load)),
        );
    }
    let versions: BTreeSet<&String> =
        report.members.values().flat_map(|load| load.by_version.keys()).collect();
    for version in versions {
        let mut sums = BTreeMap::<u16, u64>::new();
        let of_version = report.members.values().filter_map(|load| load.by_version.get(version));
        for (status, count) in of_version.flatten() {
            *sums.entry(*status).or_default() += count;
        }
        rows.push(row("all", version, &sums, &LoadReport::default()));
    }
    let mut lines = vec!["Requests".to_owned()];
    let mut last = "";
    for [cluster, version, numbers @ ..] in &rows {
        let shown = if cluster == last { "" } else { cluster };
        last = cluster;
        let [answers, good, bad, median, slow] = numbers;
        let numbers = format!("{answers:>10}{good:>10}{bad:>10}{median:>12}{slow:>12}");
        let line = format!("  {shown:<9}{version:<8}{numbers}");
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n") + "\n" + &totals(report)
}

fn row(
    cluster: &str,
    version: &str,
    statuses: &BTreeMap<u16, u64>,
    load: &LoadReport,
) -> [String; 7] {
    let of = |wanted: u16| statuses.get(&wanted).copied().unwrap_or(0).to_string();
    let latency = load.latency.get(version);
    let shown = |time: Option<Duration>| time.map_or(String::new(), milliseconds);
    [
        cluster.to_owned(),
        version.to_owned(),
        statuses.values().sum::<u64>().to_string(),
        of(200),
        of(500),
        shown(latency.map(|latency| latency.p50)),
        shown(latency.map(|latency| latency.p99)),
    ]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn totals(report: &ServiceReport) -> String {
    let sum = |of: fn(&LoadReport) -> u64| report.members.values().map(of).sum::<u64>();
    format!(
        "  {} sent, {} answered, {} lost, {} failed by a gateway\n",
        sum(|load| load.sent),
        sum(|load| load.answered),
        sum(|load| load.lost),
        sum(|load| load.gateway_errors),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_a_row_per_cluster_and_one_for_all() {
        let statuses = |good, bad| BTreeMap::from([(200, good), (500, bad)]);
        let load = LoadReport {
            sent: 12,
            answered: 12,
            by_version: BTreeMap::from([
                ("v1".to_owned(), statuses(9, 0)),
                ("v2".to_owned(), statuses(2, 1)),
            ]),
            ..LoadReport::default()
        };
        let members = [("m1".to_owned(), load.clone()), ("m2".to_owned(), load)];
        let text = requests(&ServiceReport { members: members.into() });
        let expected = "\
Requests
  cluster  version    answers       200       500      median         p99
  m1       v1               9         9         0
           v2               3         2         1
  m2       v1               9         9         0
           v2               3         2         1
  all      v1              18        18         0
           v2               6         4         2
  24 sent, 24 answered, 0 lost, 0 failed by a gateway
";
        assert_eq!(text, expected);
    }
}
