//! What is rendered is what Kubernetes accepts.

use std::process::Command;

use lockflight_e2e::chart::Chart;
use lockflight_e2e::{apply, components};
use serde_json::{Value, json};

use crate::matrix::{case, cases};
use crate::{KUBERNETES, tools};

#[test]
fn helm_finds_nothing_to_complain_about() {
    for case in cases() {
        let said = case.chart.lint(&tools().helm, &case.values);
        assert!(said.is_ok(), "{}: {said:?}", case.name);
    }
}

/// Field by field, by the schemas that each version publishes. Kinds of others are not known there.
#[test]
fn three_versions_of_kubernetes_know_every_field() {
    let folder = tempfile::tempdir().unwrap();
    for version in KUBERNETES {
        let mut files = Vec::new();
        for (index, case) in cases().iter().enumerate() {
            let objects = case.chart.objects(&tools().helm, version, &case.values).unwrap();
            let known = objects.iter().filter(|object| is_of_kubernetes(object));
            for (position, object) in known.enumerate() {
                let file = folder.path().join(format!("{version}-{index}-{position}.json"));
                std::fs::write(&file, object.to_string()).unwrap();
                files.push(file);
            }
        }
        assert!(files.len() > 50, "only {} objects were rendered", files.len());
        let (minor, _) = version.rsplit_once('.').unwrap();
        let output = validate(minor, &files);
        let said = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{version}: {said}");
    }
}

/// Guards the check above against a validator that knows nothing.
#[test]
fn the_validator_finds_an_unknown_field() {
    let folder = tempfile::tempdir().unwrap();
    let mut deployment = case("hub: defaults").of_kind("Deployment")[0].clone();
    deployment["spec"]["replica"] = json!(1);
    let file = folder.path().join("deployment.json");
    std::fs::write(&file, deployment.to_string()).unwrap();
    assert!(!validate("1.35", &[file]).status.success());
}

fn validate(minor: &str, files: &[std::path::PathBuf]) -> std::process::Output {
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", &tools().kubernetes_validate);
    python.args(["-m", "kubernetes_validate", "--strict", "--quiet", "-k", minor]).args(files);
    python.output().unwrap()
}

fn is_of_kubernetes(object: &Value) -> bool {
    let group = object["apiVersion"].as_str().unwrap_or_default().split('/').next();
    !matches!(group, Some("monitoring.coreos.com" | "gateway.networking.k8s.io"))
}

#[test]
fn the_kinds_are_those_of_the_types_and_stay() {
    let folder = Chart::Hub.folder().join("files/crds");
    let mut written = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        written.extend(apply::documents(&entry.unwrap().path()).unwrap());
    }
    let mut rendered: Vec<_> =
        case("hub: defaults").of_kind("CustomResourceDefinition").into_iter().cloned().collect();
    assert_eq!(rendered.len(), 4);
    for crd in &mut rendered {
        let metadata = crd["metadata"].as_object_mut().unwrap();
        let annotations = metadata.remove("annotations").unwrap();
        assert_eq!(annotations, json!({ "helm.sh/resource-policy": "keep" }));
        assert!(written.contains(crd), "{} was changed", crd["metadata"]["name"]);
    }
    assert!(case("hub: everything off").of_kind("CustomResourceDefinition").is_empty());
}

/// One object per file that is there, whatever is there.
#[test]
fn alerts_and_dashboards_are_those_of_the_files() {
    let on = case("hub: everything on");
    for (folder, kind, ending) in
        [("alerts", "PrometheusRule", ".yaml"), ("grafana", "ConfigMap", ".json")]
    {
        let entries = std::fs::read_dir(Chart::Hub.folder().join("files").join(folder));
        let names = entries.into_iter().flatten().map(|e| e.unwrap().file_name());
        let files = names
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| name.ends_with(ending) && !name.contains("_test."))
            .count();
        let is_ours = |object: &&&Value| object["metadata"]["labels"].is_object();
        assert_eq!(on.of_kind(kind).iter().filter(is_ours).count(), files, "{folder}");
    }
}

#[test]
fn nothing_is_left_to_the_namespace_of_whoever_applies_it() {
    let everywhere = [
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ];
    for case in cases() {
        for object in &case.objects {
            let is_everywhere = everywhere.iter().any(|kind| object["kind"] == *kind);
            let has_namespace = object["metadata"]["namespace"].is_string();
            assert_eq!(has_namespace, !is_everywhere, "{}: {}", case.name, object["metadata"]);
        }
    }
}

#[test]
fn the_newest_version_is_that_of_the_testbed() {
    assert_eq!(KUBERNETES.last(), Some(&components::KUBERNETES));
}
