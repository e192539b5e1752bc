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
            weight: 1.0,
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

const DRAFT: &str = "
apiVersion: lockflight.dev/v1alpha1
kind: Rollout
metadata: {name: checkout}
spec:
  replicas: 6
  template: {spec: {containers: [{name: app, image: demo:v3}]}}
  ports: [{name: http, port: 80}]
  strategy: {canary: {steps: [{weight: 10}, {weight: 100}]}}
  traffic: {gatewayAPI: {routes: [{name: checkout}]}}
";

const DRAFTS: &str = "/api/v1/rollouts/shop/checkout/plan";

/// A bed where a new attempt in the namespace shop can be planned.
fn drafting() -> Bed {
    let bed = bed(Access::token);
    let cluster = json!({
        "apiVersion": "lockflight.dev/v1alpha1", "kind": "Cluster",
        "metadata": {"name": "eu-west-1", "resourceVersion": "2"},
        "spec": {"server": "https://10.0.0.1:6443", "credentials": {"secretName": "eu"},
                 "allowedNamespaces": ["shop"]},
    });
    let source = bed.source();
    source.clusters.put(serde_json::from_value(cluster).unwrap());
    source.providers.replace(Vec::new());
    bed
}

async fn draft(bed: &Bed, headers: &[(&str, &str)], manifest: &str) -> (u16, Value) {
    let body = json!({"manifest": manifest}).to_string();
    let response = bed.send("POST", DRAFTS, headers, &body).await;
    (response.status().as_u16(), value(response).await)
}

#[tokio::test]
async fn a_pasted_manifest_is_planned_and_nothing_is_written() {
    let bed = drafting();
    let before = bed.rollouts.get(&Key::new("shop", "checkout")).unwrap();
    let (code, page) = draft(&bed, &[OPERATOR], DRAFT).await;
    assert_eq!(code, 200, "{page}");
    let weights: Vec<&Value> =
        page["plan"]["steps"].as_array().unwrap().iter().map(|step| &step["weight"]).collect();
    assert_eq!(weights, [10, 100]);
    assert_eq!((&page["plan"]["stored"], &page["manifest"]), (&json!(false), &Value::Null));
    // What stands is what it starts from.
    let (_, own) = ask(&bed, "shop/checkout/plan").await;
    let manifest = own["manifest"].as_str().unwrap();
    assert!(manifest.contains("kind: Rollout") && !manifest.contains("status"), "{manifest}");
    let after = bed.rollouts.get(&Key::new("shop", "checkout")).unwrap();
    assert!(std::sync::Arc::ptr_eq(&before, &after));
    assert!(bed.patches.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_pasted_mistake_is_answered_with_its_field_and_a_remedy() {
    let bed = drafting();
    for (from, to, why) in [
        ("replicas", "replikas", "spec.replikas is no field"),
        ("name: checkout}\nspec", "name: ledger, namespace: bank}\nspec", "metadata.namespace"),
        ("weight: 100", "weight: heavy", "spec.strategy.canary.steps[1].weight"),
        ("weight: 10}", "weight: 100}", "spec.strategy.canary.steps"),
        ("spec:", "spec: [", "no YAML"),
        ("spec:", "spec: {}\nold:", "spec"),
    ] {
        assert!(DRAFT.contains(from), "{from}");
        let (code, problem) = draft(&bed, &[OPERATOR], &DRAFT.replacen(from, to, 1)).await;
        assert_eq!(code, 422, "{to}: {problem}");
        assert!(problem["message"].as_str().unwrap().contains(why), "{to}: {problem}");
        assert!(problem["remedy"].is_string(), "{to}: {problem}");
    }
    let (code, problem) = draft(&bed, &[OPERATOR], &"x".repeat(40_000)).await;
    assert_eq!((code, &problem["reason"]), (413, &json!("TooLarge")));
    assert!(problem["remedy"].as_str().unwrap().contains("plan -f"), "{problem}");
}

/// Its plan names clusters: seeing the namespace alone does not tell those of the whole fleet.
#[tokio::test]
async fn planning_a_manifest_takes_the_right_to_know_clusters_or_to_change_the_rollout() {
    let bed = drafting();
    for (token, expected) in
        [("viewer", 200), ("operator", 200), ("editor", 200), ("shopper", 403), ("stranger", 401)]
    {
        let bearer = format!("Bearer {token}");
        let (code, answer) = draft(&bed, &[("authorization", &bearer)], DRAFT).await;
        assert_eq!(code, expected, "{token}: {answer}");
    }
    let shopper = [("authorization", "Bearer shopper")];
    let path = "/api/v1/rollouts/bank/ledger/plan";
    let body = json!({"manifest": DRAFT}).to_string();
    assert_eq!(bed.status("POST", path, &shopper, &body).await, 404);
    let foreign = [OPERATOR, ("origin", "https://evil.example")];
    assert_eq!(draft(&bed, &foreign, DRAFT).await.0, 403);
}
