use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{TimeDelta, Utc};
use kube::Config;
use lockflight_analysis::{Verdict, reading::Pods};
use lockflight_crds::EvidencePolicy;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    fleet::client,
    judgement::{Judgement, Trial, judge_of},
    metrics::{
        Desk, Evidence, GateRequest, GateState, Sources, Subject, evaluate,
        provider::{
            MemberClient, Provider, Surroundings,
            server::{Asked, Server},
        },
        resolve,
    },
};

const JOBS: &str = "/apis/batch/v1/namespaces/shop/jobs";

/// An API server that keeps Jobs.
struct Member {
    server: Server,
    jobs: Arc<Mutex<BTreeMap<String, Value>>>,
    deleted: mpsc::UnboundedReceiver<String>,
}

impl Member {
    async fn start() -> Self {
        let jobs: Arc<Mutex<BTreeMap<String, Value>>> = Arc::default();
        let (tell, deleted) = mpsc::unbounded_channel();
        let kept = Arc::clone(&jobs);
        let server = Server::start(move |asked: &Asked| {
            let mut jobs = kept.lock().expect("the jobs");
            let status = |code: u16| json!({"kind": "Status", "status": "Failure", "code": code});
            let name = asked.uri.path().strip_prefix(JOBS).map(|name| name.trim_matches('/'));
            let (code, body) = match (asked.method.as_str(), name) {
                ("POST", Some("")) => {
                    let job: Value = serde_json::from_str(&asked.body).expect("a Job");
                    let name = job["metadata"]["name"].as_str().expect("a name").to_owned();
                    jobs.insert(name, job.clone());
                    (201, job)
                }
                ("GET", Some(name)) => {
                    jobs.get(name).map_or((404, status(404)), |job| (200, job.clone()))
                }
                ("DELETE", Some(name)) => {
                    tell.send(name.to_owned()).expect("somebody who listens");
                    (200, jobs.remove(name).unwrap_or_else(|| status(404)))
                }
                _ => (403, status(403)),
            };
            (code, Vec::new(), body.to_string())
        })
        .await;
        Self { server, jobs, deleted }
    }

    fn sources(&self, job: &Value) -> Result<Sources, String> {
        let address = self.server.address();
        let member: MemberClient = Arc::new(move || {
            let mut config = Config::new(address.parse().expect("an address"));
            config.default_retry = false;
            client::limited(config).map_err(|error| error.to_string())
        });
        let surroundings = Surroundings { member: Some(member), ..Surroundings::default() };
        let spec = serde_json::from_value(json!({"job": job})).expect("a spec");
        let provider = Provider::new(&spec, &surroundings).map_err(|error| error.to_string())?;
        Ok(Sources::of(Arc::new(Desk::open(provider))))
    }

    /// The Job that is there.
    fn job(&self) -> Value {
        self.jobs.lock().expect("the jobs").values().next().cloned().expect("a Job")
    }

    /// All Jobs come to this end.
    fn end(&self, condition: &str) {
        for job in self.jobs.lock().expect("the jobs").values_mut() {
            job["status"] = json!({"conditions": [{"type": condition, "status": "True"}]});
        }
    }
}

fn smoke() -> Value {
    json!({
        "template": {"spec": {
            "restartPolicy": "Always",
            "containers": [{"name": "smoke", "image": "smoke:1", "env": [{"name": "A", "value": "b"}]}],
        }},
        "deadline": "5m",
    })
}

fn request(namespace: &str, threshold: &Value) -> GateRequest {
    let mut metric = json!({"name": "smoke", "threshold": {"query": "--path=/{{window}}"}});
    for (key, value) in threshold.as_object().expect("fields") {
        metric["threshold"][key] = value.clone();
    }
    let spec = serde_json::from_value(json!({"metrics": [metric]})).expect("a template");
    let subject = Subject { namespace: "shop", rollout: "checkout" };
    GateRequest {
        namespace: namespace.to_owned(),
        rollout: "checkout".to_owned(),
        cluster: "eu-west-1".to_owned(),
        revision: "6f9d".to_owned(),
        opened_at: Utc::now() - TimeDelta::minutes(20),
        both_arms: true,
        pods: Pods::new(),
        analysis: vec![resolve("tests", &spec, subject, &BTreeMap::new()).expect("sound")],
    }
}

async fn round(sources: &Sources, request: &GateRequest, state: &mut GateState) -> Evidence {
    let clusters = vec![request.cluster.as_str().into()];
    let judge = judge_of(&request.analysis, clusters, &EvidencePolicy::default());
    let trial = Trial { revision: request.revision.clone(), attempt: 1 };
    evaluate(sources, request, state, &Judgement::open(trial, judge, None)).await
}

#[tokio::test]
async fn a_job_passes_or_fails_when_it_ends() {
    let pass = json!({"pass": "result[0] == 1.0", "interval": "1h"});
    let argo = json!({"argo": {}});
    for (threshold, end, expect) in [
        (&pass, "Complete", Verdict::Pass),
        (&pass, "Failed", Verdict::Fail),
        (&argo, "Complete", Verdict::Pass),
        (&argo, "Failed", Verdict::Fail),
    ] {
        let mut member = Member::start().await;
        let sources = member.sources(&smoke()).expect("sources");
        let (request, mut state) = (request("shop", threshold), GateState::default());
        for _ in 0..2 {
            let evidence = round(&sources, &request, &mut state).await;
            assert_eq!(evidence.gate.verdict, Verdict::Watch, "{:?}", evidence.gate);
            assert!(evidence.next_round_in <= Duration::from_secs(2));
        }
        assert_eq!(member.jobs.lock().expect("the jobs").len(), 1, "one Job for one measurement");
        member.end(end);
        let evidence = round(&sources, &request, &mut state).await;
        assert_eq!(evidence.gate.verdict, expect, "{end}: {:?}", evidence.gate);
        let asked = member.server.count();
        round(&sources, &request, &mut state).await;
        assert_eq!(member.server.count(), asked, "what has ended is not asked again");
        drop(state);
        assert!(member.deleted.try_recv().is_err(), "a finished Job is left for its log");
    }
}

#[tokio::test]
async fn a_job_has_no_rights_and_an_end_and_says_whose_it_is() {
    let member = Member::start().await;
    let sources = member.sources(&smoke()).expect("sources");
    let request = request("shop", &json!({"pass": "result[0] == 1.0"}));
    round(&sources, &request, &mut GateState::default()).await;
    let job = member.job();
    let at = |path: &str| job.pointer(path).cloned().unwrap_or_default();
    let pod = |path: &str| at(&format!("/spec/template/spec/{path}"));
    assert_eq!(pod("automountServiceAccountToken"), json!(false));
    assert_eq!(pod("restartPolicy"), json!("Never"));
    assert_eq!(pod("containers/0/env/1/name"), json!("LOCKFLIGHT_QUERY"));
    assert_eq!(pod("containers/0/env/1/value"), json!("--path=/300s"));
    assert_eq!(at("/spec/activeDeadlineSeconds"), json!(300));
    assert_eq!(
        (at("/spec/backoffLimit"), at("/spec/ttlSecondsAfterFinished")),
        (json!(0), json!(600))
    );
    assert_eq!(at("/metadata/labels/lockflight.dev~1rollout"), json!("checkout"));
    assert_eq!(at("/metadata/labels/lockflight.dev~1revision"), json!("6f9d"));
    assert_eq!(at("/metadata/labels/app.kubernetes.io~1managed-by"), json!("lockflight"));
    assert_eq!(at("/spec/template/metadata/labels"), Value::Null, "no Service takes the pod");
}

#[tokio::test]
async fn what_nobody_waits_for_is_deleted_and_a_restarted_hub_finds_its_job() {
    let mut member = Member::start().await;
    let sources = member.sources(&smoke()).expect("sources");
    let request = request("shop", &json!({"argo": {}}));
    let mut state = GateState::default();
    round(&sources, &request, &mut state).await;
    let name = member.job()["metadata"]["name"].as_str().expect("a name").to_owned();
    // Another process: the same Job.
    member.end("Complete");
    let evidence = round(&sources, &request, &mut GateState::default()).await;
    assert_eq!(evidence.gate.verdict, Verdict::Pass, "{:?}", evidence.gate);
    state.end_jobs();
    let deleted = tokio::time::timeout(Duration::from_secs(20), member.deleted.recv()).await;
    assert_eq!(deleted.expect("in time"), Some(name));
}

#[tokio::test]
async fn a_refused_job_says_what_is_missing() {
    let member = Member::start().await;
    let sources = member.sources(&smoke()).expect("sources");
    let request = request("search", &json!({"argo": {}}));
    let evidence = round(&sources, &request, &mut GateState::default()).await;
    assert_eq!(evidence.gate.verdict, Verdict::Error);
    let message = &evidence.gate.metrics[0].message;
    assert!(
        message.contains("verbs get, create and delete on jobs in namespace search"),
        "{message}"
    );
}

#[tokio::test]
async fn a_template_that_cannot_be_used_names_the_field() {
    let member = Member::start().await;
    let with = |path: &str, value: Value| {
        let mut job = smoke();
        *job.pointer_mut(path).expect(path) = value;
        job
    };
    let token = json!({"containers": [{}], "volumes": [
        {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
    ]});
    let labels = json!({"metadata": {"labels": {"lockflight.dev/revision": "x"}},
        "spec": {"containers": [{}]}});
    let cases = [
        (with("/template/spec", json!({})), "spec.job.template.spec.containers: must have"),
        (with("/template/spec", token), "spec.job.template.spec.volumes: must not project a token"),
        (with("/template", labels), "spec.job.template.metadata.labels: must not have"),
        (with("/deadline", json!("2h")), "spec.job.deadline: must be from 1s to 1h"),
        (with("/deadline", json!("2 h")), "spec.job.deadline: must be a duration"),
    ];
    for (job, expect) in cases {
        let error = member.sources(&job).expect_err(expect);
        assert!(error.contains(expect), "{error}");
    }
}
