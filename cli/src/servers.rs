//! Which servers stable's past is read from: addresses of the command line, and `MetricProvider`s
//! of the hub.
//!
//! The hub's Secrets are not read, for few people may: what a provider signs in with is given as
//! files instead.

use kube::Api;
use lockflight_crds::{MetricProvider, PrometheusProvider};

use crate::{
    Failure, Global, Style, Times,
    arguments::{Past, Provided},
    session::Session,
};

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Name of its cluster.
    pub(crate) cluster: String,
    /// Its address.
    pub(crate) address: String,
    /// What of the command line named it, for messages.
    pub(crate) from: String,
    /// Headers of every request.
    pub(crate) headers: Vec<(String, String)>,
}

/// All servers that the command line names.
pub(crate) async fn servers(past: &Past, global: &Global) -> Result<Vec<Server>, Failure> {
    let addresses = past.prometheus.iter().map(|source| Server {
        cluster: source.cluster.clone(),
        address: source.address.clone(),
        from: format!("--prometheus {}", source.address),
        headers: past.headers.clone(),
    });
    let mut servers: Vec<Server> = addresses.collect();
    if past.provider.is_empty() {
        return Ok(servers);
    }
    // Nothing is drawn.
    let style = Style { color: false, ascii: true, times: Times::Absolute };
    let session = Session::open(global, style).await?;
    for named in &past.provider {
        servers.push(of_hub(past, named, &session).await?);
    }
    Ok(servers)
}

/// The server of a provider that stands on the hub.
async fn of_hub(past: &Past, named: &Provided, session: &Session) -> Result<Server, Failure> {
    let providers: Api<MetricProvider> = Api::all(session.client().clone());
    let name = &named.provider;
    let found = session.ask(providers.get_opt(name)).await?;
    let found = found.ok_or_else(|| wrong(name, "the hub has no MetricProvider of that name"))?;
    let only = "is no Prometheus; stable's past is read from one only: give another provider";
    let prometheus = found.spec.prometheus.as_ref().ok_or_else(|| wrong(name, only))?;
    of_provider(past, named, prometheus)
}

fn wrong(provider: &str, why: &str) -> Failure {
    Failure::State(format!("--provider {provider}: {why}"))
}

/// The server that a provider describes. What is in Secrets has to be on the command line.
fn of_provider(
    past: &Past,
    named: &Provided,
    prometheus: &PrometheusProvider,
) -> Result<Server, Failure> {
    let name = &named.provider;
    let wrong = |why: &str| Err(wrong(name, why));
    let Some(address) = &prometheus.address else {
        return wrong(
            "spec.prometheus.service is reached through the member's API server; forward a port \
             to it and give its address as --prometheus",
        );
    };
    let tls = prometheus.tls.as_ref();
    if tls.is_some_and(|tls| tls.client_secret_name.is_some()) {
        return wrong(
            "spec.prometheus.tls.clientSecretName: the plugin has no client certificate; forward \
             a port to the server and give its address as --prometheus",
        );
    }
    if tls.is_some_and(|tls| tls.ca_secret_name.is_some()) && past.ca_file.is_none() {
        return wrong(
            "spec.prometheus.tls.caSecretName is a Secret of the hub; give the authorities with \
             --ca-file",
        );
    }
    let given = |name: &str| past.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let signs_in = past.bearer_token_file.is_some() || given("Authorization");
    if prometheus.auth.is_some() && !signs_in {
        return wrong(
            "spec.prometheus.auth is in Secrets of the hub; give a token of yours with \
             --bearer-token-file, or a --header Authorization=VALUE",
        );
    }
    // What the command line says about a header wins.
    let mut headers = past.headers.clone();
    for header in prometheus.headers.iter().filter(|header| !given(&header.name)) {
        let Some(value) = &header.value else {
            return wrong(&format!(
                "spec.prometheus.headers: the value of {} is in a Secret of the hub; give it with \
                 --header {}=VALUE",
                header.name, header.name
            ));
        };
        headers.push((header.name.clone(), value.clone()));
    }
    Ok(Server {
        cluster: named.cluster.clone(),
        address: address.clone(),
        from: format!("--provider {name}"),
        headers,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use serde_json::{Value, json};

    use super::{Server, of_provider};
    use crate::{Arguments, Command};

    /// The server of a provider, or why there is none.
    fn found(line: &str, spec: Value) -> Result<Server, String> {
        let words = ["kubectl-lockflight", "aa", "checkout"].into_iter();
        let arguments = Arguments::try_parse_from(words.chain(line.split_whitespace())).unwrap();
        let Command::Aa(aa) = &arguments.command else { panic!("not aa") };
        let prometheus = serde_json::from_value(spec).unwrap();
        of_provider(&aa.past, &aa.past.provider[0], &prometheus).map_err(|error| error.to_string())
    }

    #[test]
    fn a_provider_gives_its_address_and_headers() {
        let spec = json!({"address": "https://p/api", "headers": [
            {"name": "X-Scope-OrgID", "value": "shop"},
            {"name": "X-Key", "valueFrom": {"secret": {"secretName": "s", "key": "k"}}},
        ]});
        let line = "--provider eu=metrics --header x-key=mine --header a=b";
        let server = found(line, spec).unwrap();
        let headers = [("x-key", "mine"), ("a", "b"), ("X-Scope-OrgID", "shop")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        assert_eq!(
            server,
            Server {
                cluster: "eu".to_owned(),
                address: "https://p/api".to_owned(),
                from: "--provider metrics".to_owned(),
                headers,
            }
        );
    }

    #[test]
    fn what_is_in_secrets_has_to_be_given() {
        let address = "https://p";
        let bearer = json!({"bearer": {"secretName": "s", "key": "token"}});
        let secret = json!({"secret": {"secretName": "s", "key": "k"}});
        let service = json!({"namespace": "monitoring", "name": "p", "port": "9090"});
        let cases = [
            (json!({"service": service}), "--prometheus"),
            (json!({"address": address, "tls": {"clientSecretName": "s"}}), "--prometheus"),
            (json!({"address": address, "tls": {"caSecretName": "s"}}), "--ca-file"),
            (json!({"address": address, "auth": bearer}), "--bearer-token-file"),
            (
                json!({"address": address, "headers": [{"name": "X-Key", "valueFrom": secret}]}),
                "--header X-Key=",
            ),
        ];
        for (spec, remedy) in cases {
            let error = found("--provider metrics", spec.clone()).unwrap_err();
            assert!(error.starts_with("--provider metrics: "), "{spec}: {error}");
            assert!(error.contains(remedy), "{spec}: {error}");
        }
        let all = json!({"address": address, "auth": bearer, "tls": {"caSecretName": "s"}});
        let files = "--provider metrics --ca-file ca.crt --bearer-token-file token";
        assert!(found(files, all).is_ok());
    }
}
