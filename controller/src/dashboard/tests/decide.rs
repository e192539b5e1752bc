//! What is told before somebody presses: the evidence, the gates and the plan.

use chrono::Utc;
use lockflight_analysis::judge::{ArmCounts, ClusterStanding, MetricStanding, Rates, Standing};
use lockflight_crds::{AnalysisReference, Rollout};
use serde_json::{Value, json};

use super::harness::{Bed, bed, value};
use crate::{
    dashboard::{Access, view::testing::progressing},
    shelf::Key,
};

const OPERATOR: (&str, &str) = ("authorization", "Bearer operator");

async fn ask(bed: &Bed, path: &str) -> (u16, Value) {
    let path = format!("/api/v1/rollouts/{path}");
    let response = bed.send("GET", &path, &[OPERATOR], "").await;
    (response.status().as_u16(), value(response).await)
}

/// `checkout` with a metric that counts.
fn gated() -> Rollout {
    let mut rollout = progressing();
    let reference: AnalysisReference = serde_json::from_value(json!({
        "template": "golden-signals", "args": {"service": "checkout"},
    }))
    .unwrap();
    rollout.spec.analysis = vec![reference.clone()];
    rollout.status.as_mut().unwrap().plan.as_mut().unwrap().analysis = vec![reference];
    rollout.metadata.resource_version = Some("71".to_owned());
    rollout
}

fn gated_bed() -> Bed {
    let bed = bed(Access::token);
    bed.rollouts.put(gated());
    bed.refresh();
    bed
}

#[tokio::test]
async fn evidence_of_all_clusters_stands_beside_the_question() {
    let bed = gated_bed();
    let (code, before) = ask(&bed, "shop/checkout/evidence").await;
    assert_eq!((code, &before["standing"]), (200, &Value::Null));
    let missing = before["missing"].as_str().unwrap();
    assert!(missing.contains("no comparison metric has been judged"), "{missing}");

    let counts = |bad, events| ArmCounts { bad, events };
    let rates = Rates { canary: counts(3, 100), stable: counts(5, 900) };
    let standing = Standing {
        against_ln: 0.2,
        against_bar_ln: 3.7,
        crossed: None,
        in_favour_ln: f64::NEG_INFINITY,
        in_favour_bar_ln: 3.0,
        metrics: vec![MetricStanding {
            name: "golden-signals/errors".into(),
            against_ln: 0.2,
            in_favour_ln: 0.0,
            promotes: true,
            rates,
            needed_events: 7,
            clusters: vec![ClusterStanding { name: "us-east-1".into(), against_ln: 0.2, rates }],
        }],
        sentence: "so far so good".to_owned(),
    };
    let key = Key::new("shop", "checkout");
    bed.evidence.stand(&key, 2, Utc::now(), &standing);
    assert_eq!(ask(&bed, "shop/checkout/evidence").await.1["standing"], Value::Null);
    bed.evidence.stand(&key, 3, Utc::now(), &standing);
    let (_, page) = ask(&bed, "shop/checkout/evidence").await;
    let metric = &page["standing"]["metrics"][0];
    assert_eq!(metric["clusters"][0]["canary"], json!({"bad": 3, "events": 100}));
    assert_eq!(page["standing"]["inFavour"]["lnE"], Value::Null);
    assert_eq!(page["missing"], Value::Null);
}

#[tokio::test]
async fn gates_say_since_when_they_wait() {
    let bed = bed(Access::token);
    let (_, page) = ask(&bed, "bank/ledger/evidence").await;
    let gates = page["gates"].as_array().unwrap();
    assert_eq!(gates.len(), 2, "{gates:?}");
    // They were there before this process.
    assert!(gates.iter().all(|gate| gate["perhapsLonger"] == true), "{gates:?}");
    let mut rollout = bed.rollouts.get(&Key::new("bank", "ledger")).unwrap().as_ref().clone();
    rollout.metadata.resource_version = Some("72".to_owned());
    let waiting = &mut rollout.status.as_mut().unwrap().waiting;
    waiting.truncate(1);
    waiting[0].token = Some("3-rest-new".to_owned());
    bed.rollouts.put(rollout);
    bed.refresh();
    let (_, page) = ask(&bed, "bank/ledger/evidence").await;
    let gates = page["gates"].as_array().unwrap();
    assert_eq!(gates.len(), 1, "{gates:?}");
    assert_eq!(
        (&gates[0]["token"], &gates[0]["perhapsLonger"]),
        (&json!("3-rest-new"), &json!(false))
    );
}

#[tokio::test]
async fn a_plan_tells_what_its_gates_see_with_the_traffic() {
    let bed = gated_bed();
    let (code, quiet) = ask(&bed, "shop/checkout/plan").await;
    assert_eq!((code, &quiet["needsTraffic"]), (200, &json!(true)));
    assert_eq!(quiet["plan"]["steps"][0]["detections"], json!([]));
    let weights: Vec<&Value> =
        quiet["plan"]["steps"].as_array().unwrap().iter().map(|step| &step["weight"]).collect();
    assert_eq!(weights, [5, 33, 100]);

    let (_, told) = ask(&bed, "shop/checkout/plan?rps=50&errors=0.005").await;
    let steps = told["plan"]["steps"].as_array().unwrap();
    assert!(steps[1]["detections"][2]["seconds"].as_i64().unwrap() < 900, "{steps:?}");
    assert_eq!(steps[2]["detections"], json!([]));
    assert_eq!(told["plan"]["traffic"]["requestsPerSecond"], 50.0);
    assert_eq!(told["countedIn"], Value::Null);
}

#[tokio::test]
async fn traffic_that_is_none_is_refused_by_its_name() {
    let bed = gated_bed();
    for (query, part) in [
        ("rps=0&errors=0.1", "rps must be"),
        ("rps=NaN&errors=0.1", "rps must be"),
        ("rps=10&errors=1", "errors must be"),
        ("rps=10&errors=-1", "errors must be"),
        ("rps=many&errors=0.1", "rps"),
        ("rps=10", "belong together"),
        ("errors=0.1", "belong together"),
    ] {
        let (code, problem) = ask(&bed, &format!("shop/checkout/plan?{query}")).await;
        assert_eq!(code, 422, "{query}");
        assert!(problem["message"].as_str().unwrap().contains(part), "{query}: {problem}");
    }
}

#[tokio::test]
async fn what_a_plan_lacks_is_named() {
    let bed = bed(Access::token);
    let mut rollout = gated();
    let plan = rollout.status.as_mut().unwrap().plan.as_mut().unwrap();
    plan.analysis[0].template = "no-such".to_owned();
    bed.rollouts.put(rollout.clone());
    bed.refresh();
    let (_, page) = ask(&bed, "shop/checkout/plan").await;
    assert_eq!(page["plan"], Value::Null);
    assert!(page["problems"][0].as_str().unwrap().contains("no-such"), "{page}");
    // Without a stored plan it is that of a new attempt, and needs what that is made of.
    rollout.status = None;
    rollout.metadata.resource_version = Some("73".to_owned());
    bed.rollouts.put(rollout);
    bed.refresh();
    let (_, page) = ask(&bed, "shop/checkout/plan").await;
    let problem = page["problems"][0].as_str().unwrap();
    assert!(problem.contains("metricproviders cannot be read"), "{problem}");
}
