//! Dashboards and alert rules against the catalogue of metrics and the page of alerts.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context as _, Result};
use lockflight::telemetry::catalogue::ALL;

/// Where the files are, from the root.
const FOLDERS: [&str; 2] = ["helm/lockflight/files/grafana", "helm/lockflight/files/alerts"];
/// What every alert's runbook begins with: a page, and its heading.
const PAGE: &str = "docs/how-to/alerts.md";
/// How every metric of the hub begins.
const PREFIX: &str = "lockflight_";

/// Metrics that do not exist, and alerts without a section that says what to do.
pub(crate) fn complaints(root: &Path) -> Result<Vec<String>> {
    let page = fs::read_to_string(root.join(PAGE)).with_context(|| PAGE.to_owned())?;
    let sections: BTreeSet<&str> = page.lines().filter_map(|l| l.strip_prefix("## ")).collect();
    let mut complaints = Vec::new();
    let mut alerts = BTreeSet::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(root.join(folder)).with_context(|| folder.to_owned())? {
            let path = entry?.path();
            let (text, name) = (fs::read_to_string(&path)?, path.display().to_string());
            let unknown = metrics(&text).into_iter().filter(|metric| !is_known(metric));
            complaints.extend(unknown.map(|metric| format!("{name}: there is no {metric}")));
            let named = text.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
            for alert in named {
                alerts.insert(alert.to_owned());
                let runbook = format!("runbook: {PAGE}#{}", alert.to_lowercase());
                if !text.contains(&runbook) {
                    complaints.push(format!("{name}: {alert} lacks {runbook}"));
                }
                if !sections.contains(alert) {
                    complaints.push(format!("{PAGE}: no section says what to do at {alert}"));
                }
            }
        }
    }
    let idle = sections.iter().filter(|section| !alerts.contains(**section));
    complaints.extend(idle.map(|section| format!("{PAGE}: there is no alert {section}")));
    Ok(complaints)
}

/// Words that look like metrics of the hub.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
    words
        .filter(|word| word.starts_with(PREFIX) && !word.ends_with("_test"))
        .map(str::to_owned)
        .collect()
}

fn is_known(name: &str) -> bool {
    let endings = ["", "_total", "_bucket", "_sum", "_count"];
    endings.iter().any(|ending| {
        let base = name.strip_suffix(ending);
        base.is_some_and(|base| ALL.iter().any(|metric| metric.name == base))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_and_known_by_their_base() {
        let found = metrics("sum(rate(lockflight_passes_total[5m])) / lockflight_nothing{a=\"b\"}");
        assert_eq!(found.len(), 2);
        assert!(is_known("lockflight_passes_total") && !is_known("lockflight_nothing"));
    }
}
