//! Rights in the charts. Whether they are needed is shown by the fleet's tests.

use serde_json::Value;

use crate::matrix::{case, cases};

/// Rules of all roles of all cases, with the role's kind and name.
fn rules() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for case in cases() {
        for kind in ["ClusterRole", "Role"] {
            for role in case.of_kind(kind) {
                let place = format!("{}: {kind} {}", case.name, role["metadata"]["name"]);
                let rules = role["rules"].as_array().unwrap();
                found.extend(rules.iter().map(|rule| (place.clone(), rule.clone())));
            }
        }
    }
    assert!(found.len() > 20);
    found
}

fn names(rule: &Value, field: &str, name: &str) -> bool {
    rule[field].as_array().into_iter().flatten().any(|value| value == name)
}

#[test]
fn nothing_is_granted_by_an_asterisk() {
    for (place, rule) in rules() {
        for field in ["apiGroups", "resources", "verbs"] {
            assert!(!names(&rule, field, "*"), "{place}: {field}");
        }
    }
}

#[test]
fn nobody_reads_secrets_of_other_namespaces() {
    for (place, rule) in rules() {
        if names(&rule, "resources", "secrets") {
            assert!(place.contains(": Role "), "{place} reads Secrets everywhere");
            assert_eq!(rule["verbs"], serde_json::json!(["list", "watch"]), "{place}");
        }
    }
    assert!(case("member: everything on").of_kind("ClusterRole").is_empty());
}

#[test]
fn nobody_can_become_somebody_else_or_grant_more() {
    for (place, rule) in rules() {
        for verb in ["escalate", "bind", "impersonate"] {
            assert!(!names(&rule, "verbs", verb), "{place}: {verb}");
        }
        for resource in ["pods/exec", "serviceaccounts/token", "clusterroles", "roles"] {
            assert!(!names(&rule, "resources", resource), "{place}: {resource}");
        }
    }
}

/// In a member each namespace opts in; everything else stays closed.
#[test]
fn a_member_grants_in_the_named_namespaces_only() {
    let on = case("member: everything on");
    let mut granted: Vec<_> = on
        .of_kind("RoleBinding")
        .iter()
        .map(|binding| {
            let text = |pointer: &str| binding.pointer(pointer).and_then(Value::as_str).unwrap();
            assert_eq!(text("/subjects/0/name"), "release-control");
            assert_eq!(text("/subjects/0/namespace"), "lockflight-system");
            format!("{} {}", text("/metadata/namespace"), text("/roleRef/name"))
        })
        .collect();
    granted.sort();
    let expected = [
        "monitoring release-control-metrics",
        "payments release-control",
        "payments release-control-jobs",
        "shop release-control",
        "shop release-control-jobs",
    ];
    assert_eq!(granted, expected);
    assert!(case("member: defaults").of_kind("RoleBinding").is_empty());
}

/// Approving is the promoter's; stopping is granted more widely.
#[test]
fn people_get_the_verbs_of_their_commands() {
    let hub = case("hub: defaults");
    let may = |role: &str, verb: &str| {
        let name = format!("lockflight-{role}");
        let roles = hub.of_kind("ClusterRole");
        let role = roles.iter().find(|object| object["metadata"]["name"] == *name).unwrap();
        role["rules"]
            .as_array()
            .unwrap()
            .iter()
            .any(|rule| names(rule, "resources", "rollouts") && names(rule, "verbs", verb))
    };
    let table = [
        // verb, view, edit, admin, promoter
        ("get", true, true, true, true),
        ("patch", false, true, true, true),
        ("update", false, true, true, false),
        ("delete", false, true, true, false),
        ("promote", false, false, true, true),
        ("resume", false, false, true, true),
        ("abort", false, true, true, true),
        ("pause", false, true, true, true),
        ("retry", false, true, true, true),
        ("force-delete", false, false, true, false),
    ];
    for (verb, view, edit, admin, promoter) in table {
        let found = ["view", "edit", "admin", "promoter"].map(|role| may(role, verb));
        assert_eq!(found, [view, edit, admin, promoter], "{verb}");
    }
}
