//! `list`: a table of rollouts.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::say;
use crate::{
    Exit, Failure, RolloutView,
    arguments::{List, ListOutput},
    render::span,
    session::Session,
};

pub(super) async fn run(session: &Session, list: &List) -> Result<Exit, Failure> {
    let rollouts = session.list(list.all_namespaces, list.selector.as_deref()).await?;
    let views: Vec<RolloutView> = rollouts.iter().map(RolloutView::from).collect();
    match list.output {
        Some(ListOutput::Json) => {
            let list = json!({
                "apiVersion": "cli.lockflight.dev/v1", "kind": "RolloutViewList", "items": views,
            });
            say(&format!("{}\n", serde_json::to_string_pretty(&list)?))?;
        }
        Some(ListOutput::Name) => {
            let name = |view: &RolloutView| format!("rollout.lockflight.dev/{}\n", view.name);
            say(&views.iter().map(name).collect::<String>())?;
        }
        Some(ListOutput::Wide) | None if views.is_empty() => {
            let place = if list.all_namespaces { "any namespace" } else { &session.namespace };
            eprintln!("found no rollouts in {place}");
        }
        Some(ListOutput::Wide) => say(&table(&views, list.all_namespaces, true, Utc::now()))?,
        None => say(&table(&views, list.all_namespaces, false, Utc::now()))?,
    }
    Ok(Exit::Ok)
}

/// The columns of `kubectl get`, and more when wide.
fn table(views: &[RolloutView], with_namespace: bool, wide: bool, now: DateTime<Utc>) -> String {
    let mut rows = vec![
        ["NAMESPACE", "NAME", "STATE", "WAVE", "CLUSTERS", "WEIGHT", "REVISION", "AGE"]
            .map(str::to_owned)
            .to_vec(),
    ];
    if wide {
        rows[0].extend(["WAITING", "MESSAGE"].map(str::to_owned));
    }
    rows.extend(views.iter().map(|view| row(view, wide, now)));
    if !with_namespace {
        for row in &mut rows {
            row.remove(0);
        }
    }
    aligned(&rows)
}

fn row(view: &RolloutView, wide: bool, now: DateTime<Utc>) -> Vec<String> {
    let counts = view.clusters;
    let mut row = vec![
        view.namespace.clone(),
        view.name.clone(),
        view.state.clone(),
        view.wave.clone().unwrap_or_default(),
        if counts.total == 0 {
            String::new()
        } else {
            format!("{}/{}", counts.promoted, counts.total)
        },
        view.weight.map(|weight| format!("{weight}%")).unwrap_or_default(),
        view.revision.clone().unwrap_or_default(),
        view.created_at.map(|created| span(now - created)).unwrap_or_default(),
    ];
    if wide {
        let mut reasons: Vec<&str> = view.waiting.iter().map(|w| w.reason.as_str()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        row.push(reasons.join(","));
        row.push(view.message.clone().unwrap_or_default());
    }
    row
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| {
            let cell = if cell.is_empty() { "-" } else { cell };
            format!("{cell:<width$}   ")
        });
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn aligns_and_leaves_nothing_empty() {
        let mut unseen = testing::completed();
        unseen.metadata.name = Some("search".to_owned());
        unseen.status = None;
        let views = [testing::awaiting_approval(), unseen].map(|r| RolloutView::from(&r));
        let expected = "\
NAMESPACE   NAME       STATE              WAVE       CLUSTERS   WEIGHT   REVISION     AGE
shop        checkout   AwaitingApproval   2/2 rest   1/3        33%      7a1b2c3d4e   1d0h
shop        search     Pending            -          -          -        -            1d0h
";
        assert_eq!(table(&views, true, false, testing::now()), expected);
        let wide = table(&views, false, true, testing::now());
        assert!(wide.starts_with("NAME       STATE"), "{wide}");
        assert!(wide.contains("AwaitingApproval   the rollout is AwaitingApproval\n"), "{wide}");
    }
}
