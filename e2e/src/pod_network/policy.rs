//! What a `NetworkPolicy` lets pass, as far as Lockflight's chart makes use of it.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::ContainerPort;
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Who opens a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Others, to the pod.
    Ingress,
    /// The pod.
    Egress,
}

/// Connections to one port, from everybody or to everybody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passage {
    /// Who opens it.
    pub direction: Direction,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Port that the connection is opened to.
    pub port: u16,
}

/// The passages of a policy for a pod with these ports. What this does not know is an error, for
/// what is left out would not be enforced.
pub fn passages(policy: &NetworkPolicy, ports: &[ContainerPort]) -> anyhow::Result<Vec<Passage>> {
    let spec = policy.spec.as_ref().context("a policy without a spec")?;
    let types = spec.policy_types.as_deref().unwrap_or_default();
    ensure!(types == ["Ingress", "Egress"], "the policy limits {types:?}, not both directions");
    let mut passages = Vec::new();
    for rule in spec.ingress.iter().flatten() {
        ensure!(rule.from.is_none(), "peers are not known here: {rule:?}");
        passages.extend(of_rule(Direction::Ingress, rule.ports.as_deref(), ports)?);
    }
    for rule in spec.egress.iter().flatten() {
        ensure!(rule.to.is_none(), "peers are not known here: {rule:?}");
        passages.extend(of_rule(Direction::Egress, rule.ports.as_deref(), ports)?);
    }
    passages.sort();
    Ok(passages)
}

fn of_rule(
    direction: Direction,
    allowed: Option<&[NetworkPolicyPort]>,
    ports: &[ContainerPort],
) -> anyhow::Result<Vec<Passage>> {
    let allowed = allowed.filter(|allowed| !allowed.is_empty());
    let allowed = allowed.with_context(|| format!("an {direction:?} rule lets every port pass"))?;
    allowed.iter().map(|port| of_port(direction, port, ports)).collect()
}

fn of_port(
    direction: Direction,
    allowed: &NetworkPolicyPort,
    ports: &[ContainerPort],
) -> anyhow::Result<Passage> {
    ensure!(allowed.end_port.is_none(), "ranges are not known here: {allowed:?}");
    let number = match &allowed.port {
        Some(IntOrString::Int(number)) => *number,
        // A name means a port of the pod that is connected to: for egress, of somebody else's.
        Some(IntOrString::String(name)) => {
            ensure!(direction == Direction::Ingress, "whose port is {name}?");
            let named = ports.iter().find(|port| port.name.as_ref() == Some(name));
            named.with_context(|| format!("the pod has no port {name}"))?.container_port
        }
        None => anyhow::bail!("a rule lets every port pass: {allowed:?}"),
    };
    Ok(Passage {
        direction,
        protocol: allowed.protocol.as_deref().unwrap_or("TCP").to_ascii_lowercase(),
        port: u16::try_from(number)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::passages;

    fn policy(spec: &Value) -> Result<Vec<String>, String> {
        let policy = serde_json::from_value(json!({ "spec": spec })).unwrap();
        let port = serde_json::from_value(json!({ "name": "http", "containerPort": 8080 }));
        let passages = passages(&policy, &[port.unwrap()]).map_err(|error| format!("{error:#}"))?;
        let text = |p: &super::Passage| format!("{:?} {} {}", p.direction, p.protocol, p.port);
        Ok(passages.iter().map(text).collect())
    }

    #[test]
    fn ports_pass_by_number_and_by_name_and_what_is_not_known_is_an_error() {
        let both = json!(["Ingress", "Egress"]);
        let http = json!([{ "ports": [{ "port": "http" }] }]);
        let egress = json!([{ "ports": [{ "port": 53, "protocol": "UDP" }, { "port": 443 }] }]);
        let spec = json!({ "policyTypes": both, "ingress": http, "egress": egress });
        let expected = ["Ingress tcp 8080", "Egress tcp 443", "Egress udp 53"];
        assert_eq!(policy(&spec).unwrap(), expected);
        let table = [
            (json!({ "policyTypes": ["Ingress"] }), "not both directions"),
            (json!({ "policyTypes": both, "ingress": [{}] }), "every port"),
            (json!({ "policyTypes": both, "egress": [{ "ports": [] }] }), "every port"),
            (json!({ "policyTypes": both, "egress": [{ "ports": [{}] }] }), "every port"),
            (json!({ "policyTypes": both, "egress": http }), "whose port"),
            (
                json!({ "policyTypes": both, "ingress": [{ "ports": [{ "port": "web" }] }] }),
                "no port web",
            ),
            (
                json!({ "policyTypes": both, "egress": [{ "ports": [{ "port": 1, "endPort": 9 }] }] }),
                "ranges",
            ),
            (
                json!({ "policyTypes": both, "ingress": [{ "from": [{ "podSelector": {} }] }] }),
                "peers",
            ),
        ];
        for (spec, words) in table {
            let error = policy(&spec).unwrap_err();
            assert!(error.contains(words), "{spec}: {error}");
        }
    }
}
