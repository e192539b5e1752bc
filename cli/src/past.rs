//! What stable's pods did, from a recording or from the user's own Prometheus.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::{BufWriter, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use lockflight::{
    judgement::judge_of,
    metrics::{
        BUILTIN_PREFIX, Builtin, Egress, PastRequest, Provider, ResolvedTemplate, Secrets, Subject,
        Surroundings, TIMEOUT_MAX, resolve, stable_past,
    },
    shelf::Shelf,
};
use lockflight_analysis::{
    judge::{Judge, Observation},
    trust::{Head, WindowLine},
};
use lockflight_crds::{AnalysisTemplateSpec, EvidencePolicy, MetricProviderSpec};
use serde_json::{Value, json};

use crate::{
    Failure,
    arguments::{Compare, Past},
    servers::Server,
};

/// Windows of an episode, as the hub cuts them.
const WINDOWS_PER_EPISODE: i32 = 4;

/// Bytes of a file with a token, a certificate or a template.
const FILE_LENGTH_MAX: u64 = 1 << 20;

/// Namespace and names under which the files of the command line stand for Secrets.
const NAMESPACE: &str = "files";
const TOKEN: &str = "bearer-token-file";
const AUTHORITIES: &str = "ca-file";

/// Stable's past, and the judge that it is shown to.
pub(crate) struct StableHistory {
    /// The judge.
    pub(crate) judge: Judge,
    /// The windows.
    pub(crate) windows: Vec<Observation>,
}

/// Reads from these servers. What cannot be judged is told on standard
/// error; nothing at all is a failure.
pub(crate) async fn read(
    past: &Past,
    servers: &[Server],
    templates: &[ResolvedTemplate],
    policy: &EvidencePolicy,
    timeout: Duration,
) -> Result<StableHistory, Failure> {
    // Only one provider is compiled in; that another caller was first is no error.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let clusters: Vec<_> = servers.iter().map(|server| server.cluster.as_str().into()).collect();
    if clusters.iter().collect::<BTreeSet<_>>().len() < clusters.len() {
        return Err(Failure::State(
            "--prometheus, --provider: with several of them each needs a name of its own: \
             CLUSTER=URL, CLUSTER=NAME"
                .to_owned(),
        ));
    }
    let judge = judge_of(templates, clusters, policy);
    let since = TimeDelta::from_std(past.since).unwrap_or(TimeDelta::MAX);
    let mut windows = Vec::new();
    let mut complaints = Vec::new();
    for server in servers {
        let request = PastRequest {
            cluster: &server.cluster,
            templates,
            pods: &past.pods,
            since,
            window_min: judge.episode / WINDOWS_PER_EPISODE,
        };
        let provider = provider(past, server, timeout)?;
        let found = stable_past(&provider, request)
            .await
            .map_err(|error| Failure::State(error.to_string()))?;
        windows.extend(found.windows);
        let of = |complaint| format!("{}: {complaint}", server.cluster);
        complaints.extend(found.complaints.into_iter().map(of));
    }
    if windows.is_empty() {
        return Err(Failure::State(format!(
            "there is no window of stable pods: {}",
            complaints.join("; ")
        )));
    }
    for complaint in complaints {
        eprintln!("left out: {complaint}");
    }
    // The judge is shown what is there: a metric without windows would only take its part of the
    // chance of a false abort.
    windows.sort_by_key(|one| one.window.ends_at);
    Ok(StableHistory { judge, windows })
}

/// The provider that the command line describes.
fn provider(past: &Past, server: &Server, timeout: Duration) -> Result<Provider, Failure> {
    let Server { address, from, headers, .. } = server;
    let shelf = Shelf::default();
    let mut spec = json!({"prometheus": {
        "address": address,
        // No provider may take longer, whatever the API server may.
        "timeout": format!("{}ms", timeout.min(TIMEOUT_MAX).as_millis()),
        "headers": headers.iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect::<Vec<_>>(),
    }});
    let secret = |name: &str, key: &str, path: &Path| -> Result<(), Failure> {
        let bytes = text_of(path)?.into_bytes();
        let mut secret = Secret::default();
        secret.metadata.name = Some(name.to_owned());
        secret.metadata.namespace = Some(NAMESPACE.to_owned());
        secret.data = Some(BTreeMap::from([(key.to_owned(), ByteString(bytes))]));
        shelf.put(secret);
        Ok(())
    };
    if let Some(path) = &past.bearer_token_file {
        secret(TOKEN, "token", path)?;
        spec["prometheus"]["auth"] = json!({"bearer": {"secretName": TOKEN, "key": "token"}});
    }
    if let Some(path) = &past.ca_file {
        secret(AUTHORITIES, "ca.crt", path)?;
        spec["prometheus"]["tls"] = json!({"caSecretName": AUTHORITIES});
    }
    let spec: MetricProviderSpec = serde_json::from_value(spec)?;
    let surroundings = Surroundings {
        secrets: Secrets::new(Arc::new(shelf), NAMESPACE),
        egress: Egress::to_loopback(),
        member: None,
    };
    Provider::new(&spec, &surroundings).map_err(|error| Failure::State(format!("{from}: {error}")))
}

/// The templates of the command line with their arguments.
pub(crate) fn templates(
    compare: &Compare,
    namespace: &str,
    rollout: &str,
) -> Result<Vec<ResolvedTemplate>, Failure> {
    let mut resolved = Vec::new();
    let mut known = BTreeSet::new();
    for reference in &compare.template {
        let (name, spec) = template(reference)?;
        let uses_rollout = serde_json::to_string(&spec)?.contains("{{rollout}}");
        if uses_rollout && rollout.is_empty() {
            return Err(Failure::State(format!(
                "--template {reference}: needs the name of the rollout; give it as NAME"
            )));
        }
        let args =
            compare.args.iter().filter(|(name, _)| spec.args.iter().any(|a| a.name == *name));
        let args: BTreeMap<String, String> = args.cloned().collect();
        known.extend(args.keys().cloned());
        let subject = Subject { namespace, rollout };
        let one = resolve(&name, &spec, subject, &args)
            .map_err(|error| Failure::State(format!("--template {reference}: {error}")))?;
        resolved.push(one);
    }
    match compare.args.iter().find(|(name, _)| !known.contains(name)) {
        Some((name, _)) => {
            Err(Failure::State(format!("--arg {name}: no template has an argument of that name")))
        }
        None => Ok(resolved),
    }
}

/// A template that comes with Lockflight, or one in a file.
fn template(reference: &str) -> Result<(String, AnalysisTemplateSpec), Failure> {
    let wrong =
        |why: &dyn std::fmt::Display| Failure::State(format!("--template {reference}: {why}"));
    if let Some(name) = reference.strip_prefix(BUILTIN_PREFIX) {
        let spec = Builtin::find(name).and_then(Builtin::spec).ok_or_else(|| {
            let names = Builtin::names().collect::<Vec<_>>().join(", ");
            wrong(&format!("there is no such built-in template; there are {names}"))
        })?;
        return Ok((reference.to_owned(), spec));
    }
    let path = Path::new(reference);
    let mut object: Value =
        serde_saphyr::from_str(&text_of(path)?).map_err(|error| wrong(&error))?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = object.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
    let name = name.or(stem).unwrap_or_default();
    let spec = object.get_mut("spec").map(Value::take).unwrap_or(object);
    let spec = serde_json::from_value(spec).map_err(|error| wrong(&error))?;
    Ok((name, spec))
}

/// A small text file.
pub(crate) fn text_of(path: &Path) -> Result<String, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::State(format!("cannot read {}: {error}", path.display()))
    };
    let length = fs::metadata(path).map_err(|error| failed(&error))?.len();
    if length > FILE_LENGTH_MAX {
        return Err(failed(&format!("it has more than {FILE_LENGTH_MAX} bytes")));
    }
    fs::read_to_string(path).map_err(|error| failed(&error))
}

/// Refuses a file that is there before anything is asked for what would go into it.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), Failure> {
    match path.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => Err(unsaved(path, &"there is such a file")),
        Err(error) => Err(unsaved(path, &error)),
    }
}

fn unsaved(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::State(format!("--save {}: {why}; name a new file", path.display()))
}

/// Writes the history in the form of a recording. A file that is there is left alone.
pub(crate) fn save(path: &Path, history: &StableHistory) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let file = file.map_err(|error| unsaved(path, &error))?;
    let mut out = BufWriter::new(file);
    let head = Head::of(&history.judge, 1, &BTreeMap::new());
    writeln!(out, "{}", serde_json::to_string(&head)?)?;
    let (mut round, mut last) = (0, None);
    for one in &history.windows {
        if last.replace(one.window.ends_at) != Some(one.window.ends_at) {
            round += 1;
        }
        writeln!(out, "{}", serde_json::to_string(&WindowLine::of(round, one))?)?;
    }
    out.flush()?;
    Ok(())
}
