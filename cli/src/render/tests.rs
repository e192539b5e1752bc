//! Each state that matters, against the tree as it was approved.
//!
//! `UPDATE_GOLDEN=1 cargo test -p kubectl-lockflight` writes the trees anew.

use std::{env, fs, path::Path};

use lockflight_crds::Rollout;

use super::*;
use crate::testing;

const PLAIN: Style = Style { color: false, ascii: false, times: Times::Relative };

fn check(name: &str, rollout: &Rollout, style: Style) {
    let drawn = render(&RolloutView::from(rollout), testing::now(), style);
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/render/golden")
        .join(name)
        .with_extension("txt");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &drawn).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(drawn, golden, "{name} differs:\n{drawn}");
}

#[test]
fn draws_every_state_as_approved() {
    check("progressing", &testing::progressing(), PLAIN);
    check("awaiting-approval", &testing::awaiting_approval(), PLAIN);
    check("aborted", &testing::aborted(), PLAIN);
    check("unreachable", &testing::unreachable(), PLAIN);
    check("completed", &testing::completed(), PLAIN);
}

#[test]
fn draws_in_ascii_in_colour_and_with_times_that_stay() {
    let ascii = Style { ascii: true, ..PLAIN };
    check("progressing-ascii", &testing::progressing(), ascii);
    let drawn = render(&RolloutView::from(&testing::aborted()), testing::now(), ascii);
    assert!(drawn.is_ascii(), "{drawn}");
    let absolute = Style { times: Times::Absolute, ..PLAIN };
    check("progressing-absolute", &testing::progressing(), absolute);
    let later = testing::now() + chrono::TimeDelta::seconds(5);
    let view = RolloutView::from(&testing::progressing());
    assert_eq!(render(&view, later, absolute), render(&view, testing::now(), absolute));
    let color = Style { color: true, ..PLAIN };
    let drawn = render(&view, testing::now(), color);
    assert!(drawn.contains("\u{1b}[36m◌ Canary"), "{drawn}");
}

#[test]
fn draws_a_rollout_that_the_hub_has_not_seen() {
    let mut rollout = testing::completed();
    rollout.status = None;
    check("unseen", &rollout, PLAIN);
}

#[test]
fn folds_what_does_not_move_in_large_waves() {
    let mut rollout = testing::progressing();
    let plan = rollout.status.as_mut().unwrap().plan.as_mut().unwrap();
    plan.waves[1].clusters.extend((0..200).map(|number| format!("edge-{number:03}")));
    check("large", &rollout, PLAIN);
}
