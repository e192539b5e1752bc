//! Reading an HTTPRoute: our rules, their weights, and whether the router has accepted it.

use kube::{Resource, ResourceExt};
use lockflight_crds::names::MANAGED_BY;
use lockflight_planner::RouteState;
use serde_json::Value;

use crate::fleet::Route;

/// Indices of the two backends in a rule of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OurRule {
    pub(crate) rule: usize,
    pub(crate) stable: usize,
    pub(crate) canary: usize,
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn names_service(backend: &Value, service: &str) -> bool {
    let kind = backend.get("kind").and_then(Value::as_str).unwrap_or("Service");
    let group = backend.get("group").and_then(Value::as_str).unwrap_or("");
    kind == "Service"
        && group.is_empty()
        && backend.get("namespace").is_none()
        && backend.get("name").and_then(Value::as_str) == Some(service)
}

/// The rules whose backends are exactly our two Services, or why the route cannot be used.
pub(crate) fn our_rules(route: &Value, stable: &str, canary: &str) -> Result<Vec<OurRule>, String> {
    let mut ours = Vec::new();
    for (rule, value) in list(route, "/spec/rules").iter().enumerate() {
        let backends = list(value, "/backendRefs");
        let at = |service| backends.iter().position(|backend| names_service(backend, service));
        match (at(stable), at(canary), backends.len()) {
            (Some(stable), Some(canary), 2) => ours.push(OurRule { rule, stable, canary }),
            (Some(_), Some(_), _) => {
                return Err(format!(
                    "spec.rules[{rule}].backendRefs has a third backend beside {stable} and {canary}: move it to a rule of its own"
                ));
            }
            _ => {}
        }
    }
    if ours.is_empty() {
        return Err(format!(
            "no rule has exactly the backends {stable} and {canary}: name both in backendRefs, with weights 100 and 0"
        ));
    }
    Ok(ours)
}

/// What the planner needs to know of a route.
pub(super) fn read(route: &Route, stable: &str, canary: &str) -> RouteState {
    let rules = match our_rules(&route.data, stable, canary) {
        Ok(rules) => rules,
        Err(why) => return RouteState::Unsupported(why),
    };
    if list(&route.data, "/spec/parentRefs").is_empty() {
        return RouteState::Unsupported("spec.parentRefs is empty: name the Gateway".to_owned());
    }
    let shares: Vec<u8> = rules.iter().map(|rule| share(&route.data, *rule)).collect();
    let (acknowledged, complaint) = match acceptance(route) {
        Acceptance::Accepted => (true, None),
        Acceptance::Silent => (false, None),
        Acceptance::Refused(complaint) => (false, Some(complaint)),
    };
    RouteState::Present {
        lowest: shares.iter().copied().min().unwrap_or(0),
        highest: shares.iter().copied().max().unwrap_or(0),
        acknowledged,
        complaint,
        manager: foreign_manager(route, "/f:spec/f:rules"),
    }
}

/// The canary's share of a rule in per cent, rounded up: a little traffic is not none.
fn share(route: &Value, rule: OurRule) -> u8 {
    let weight = |backend: usize| {
        let pointer = format!("/spec/rules/{}/backendRefs/{backend}/weight", rule.rule);
        // An absent weight is 1, as the Gateway API says.
        route.pointer(&pointer).map_or(1, |weight| weight.as_u64().unwrap_or(0).min(1_000_000))
    };
    let (stable, canary) = (weight(rule.stable), weight(rule.canary));
    let total = stable + canary;
    if total == 0 { 0 } else { u8::try_from((canary * 100).div_ceil(total)).unwrap_or(100) }
}

/// What the router makes of a route's current generation.
enum Acceptance {
    Accepted,
    /// It has not said anything of this generation yet.
    Silent,
    Refused(String),
}

/// The first parent that has not accepted the current generation and resolved its references.
fn acceptance(route: &Route) -> Acceptance {
    let generation = route.meta().generation.unwrap_or(0);
    let parents = list(&route.data, "/status/parents");
    for wanted in list(&route.data, "/spec/parentRefs") {
        let parent = parents.iter().find(|parent| {
            parent.get("parentRef").is_some_and(|seen| same_parent(wanted, seen, route))
        });
        for type_ in ["Accepted", "ResolvedRefs"] {
            let condition = parent.and_then(|parent| {
                list(parent, "/conditions")
                    .iter()
                    .find(|condition| condition.get("type").and_then(Value::as_str) == Some(type_))
            });
            let Some(condition) = condition else { return Acceptance::Silent };
            if condition.get("observedGeneration").and_then(Value::as_i64).unwrap_or(0) < generation
            {
                return Acceptance::Silent;
            }
            let text = |field| condition.get(field).and_then(Value::as_str).unwrap_or_default();
            if text("status") != "True" {
                let message: String = text("message").chars().take(300).collect();
                let (status, reason) = (text("status"), text("reason"));
                return Acceptance::Refused(format!(
                    "the router says {type_}={status} {reason}: {message}"
                ));
            }
        }
    }
    Acceptance::Accepted
}

fn same_parent(wanted: &Value, seen: &Value, route: &Route) -> bool {
    let field = |value: &Value, name: &str| value.get(name).cloned();
    let namespace = |value: &Value| {
        value
            .get("namespace")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or_else(|| route.namespace())
    };
    field(wanted, "name") == field(seen, "name")
        && namespace(wanted) == namespace(seen)
        && field(wanted, "sectionName") == field(seen, "sectionName")
        && field(wanted, "port") == field(seen, "port")
}

/// The field manager other than ours that last changed a field, by its path in `managedFields`.
pub(super) fn foreign_manager(object: &impl Resource, field: &str) -> Option<String> {
    let managed = object.meta().managed_fields.iter().flatten();
    managed
        .filter(|entry| entry.manager.as_deref() != Some(MANAGED_BY) && entry.subresource.is_none())
        .filter(|entry| {
            entry.fields_v1.as_ref().is_some_and(|fields| fields.0.pointer(field).is_some())
        })
        .max_by_key(|entry| entry.time.as_ref().map(|time| time.0))
        .and_then(|entry| entry.manager.clone())
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
