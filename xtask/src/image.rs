//! The recipe of the hub's image, held against what the chart runs.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::workspace::{root, verdict};

const RECIPE: &str = "image/Containerfile";
const SCRIPT: &str = "image/build.sh";
const VALUES: &str = "helm/lockflight/values.yaml";
const DEPLOYMENT: &str = "helm/lockflight/templates/deployment.yaml";
const CHART: &str = "helm/lockflight/Chart.yaml";
/// Names the variables that the hub reads.
const REFERENCE: &str = "docs/reference/lockflight.md";

/// What is compared.
struct Texts {
    recipe: String,
    script: String,
    values: Value,
    deployment: String,
    chart: Value,
    reference: String,
}

/// Compares them.
pub(crate) fn check() -> Result<String> {
    let read = |path: &str| fs::read_to_string(root().join(path)).context(path.to_owned());
    let yaml = |path: &str| -> Result<Value> {
        serde_saphyr::from_str(&read(path)?).with_context(|| path.to_owned())
    };
    let texts = Texts {
        recipe: read(RECIPE)?,
        script: read(SCRIPT)?,
        values: yaml(VALUES)?,
        deployment: read(DEPLOYMENT)?,
        chart: yaml(CHART)?,
        reference: read(REFERENCE)?,
    };
    let mut found = complaints(&texts);
    let mode = fs::metadata(root().join(SCRIPT))?.permissions().mode();
    if mode & 0o111 == 0 {
        found.push(format!("{SCRIPT} is not executable, and {RECIPE} executes it"));
    }
    if read(".dockerignore")? != read(".containerignore")? {
        found.push(".dockerignore and .containerignore differ".to_owned());
    }
    verdict(&found, "the image is what the chart runs".to_owned())
}

fn complaints(texts: &Texts) -> Vec<String> {
    let lines = instructions(&texts.recipe);
    let last_from = lines.iter().rposition(|(word, _)| word == "FROM").unwrap_or(0);
    let (build, image) = lines.split_at(last_from);
    let of = |word: &str| {
        let found = image.iter().rev().find(|(at, _)| at == word);
        found.map_or("", |(_, rest)| rest.as_str())
    };
    let pod = &texts.values["podSecurityContext"];
    let arguments = list(texts.deployment.split("args:").nth(1).unwrap_or_default());
    let rust = concat!("rust:", env!("CARGO_PKG_RUST_VERSION"), "-");
    let tag = concat!("/lockflight:", env!("CARGO_PKG_VERSION"), " ");
    let table = [
        (
            build.iter().any(|(word, rest)| word == "FROM" && rest.contains(rust)),
            format!("the builder's image is not {rust}..., the workspace's rust-version"),
        ),
        (
            build.iter().any(|(word, rest)| word == "RUN" && rest.contains(SCRIPT)),
            format!("the builder does not run {SCRIPT}"),
        ),
        (of("FROM") == "scratch", "the last stage has a base: one executable is all".to_owned()),
        (
            !image.iter().any(|(word, _)| word == "RUN"),
            "the last stage runs a command, and has no shell for it".to_owned(),
        ),
        (
            of("USER") == format!("{}:{}", pod["runAsUser"], pod["runAsGroup"]),
            format!("USER is not runAsUser:runAsGroup of podSecurityContext in {VALUES}"),
        ),
        (
            !of("USER").is_empty() && !of("USER").starts_with("0:"),
            "USER is root, or is not said".to_owned(),
        ),
        (
            exec(of("ENTRYPOINT")) == ["/lockflight"]
                && texts.script.contains("\"$folder/lockflight\""),
            format!("ENTRYPOINT is not the program that {SCRIPT} installs"),
        ),
        (
            exec(of("CMD")).first() == arguments.first(),
            format!("CMD is not the command that {DEPLOYMENT} gives"),
        ),
        (
            !texts.deployment.contains("command:"),
            format!("{DEPLOYMENT} replaces ENTRYPOINT by a command of its own"),
        ),
        (
            texts.recipe.lines().any(|line| format!("{line} ").contains(tag)),
            format!("no comment builds {}", tag.trim()),
        ),
        (
            texts.chart["appVersion"] == env!("CARGO_PKG_VERSION"),
            format!("appVersion of {CHART} is not the workspace's version"),
        ),
    ];
    let missed = table.into_iter().filter(|(holds, _)| !holds);
    let mut found: Vec<String> = missed.map(|(_, why)| format!("{RECIPE}: {why}")).collect();
    for name in variables(&texts.deployment) {
        if !texts.reference.contains(&format!("`{name}`")) {
            found.push(format!("{DEPLOYMENT}: the hub reads no variable {name} ({REFERENCE})"));
        }
    }
    found
}

/// Instructions with their arguments; lines that end with a backslash go on.
fn instructions(recipe: &str) -> Vec<(String, String)> {
    let text = recipe.lines().filter(|line| !line.trim_start().starts_with('#'));
    let text = text.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let split = text.lines().filter_map(|line| line.trim().split_once(' '));
    split.map(|(word, rest)| (word.to_owned(), rest.trim().to_owned())).collect()
}

/// Arguments in the form that needs no shell.
fn exec(rest: &str) -> Vec<String> {
    serde_json::from_str(rest).unwrap_or_default()
}

/// Items of the list with which a text begins.
fn list(text: &str) -> Vec<String> {
    let items = text.lines().skip(1).map_while(|line| line.trim().strip_prefix("- "));
    items.map(str::to_owned).collect()
}

/// Names of the container's variables.
fn variables(deployment: &str) -> Vec<String> {
    let env = deployment.split(" env:\n").nth(1).unwrap_or_default();
    let within = env.lines().take_while(|line| !line.trim_end().ends_with("ports:"));
    within.filter_map(|line| line.trim().strip_prefix("- name: ")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_what_the_chart_runs() {
        check().unwrap();
    }

    fn good() -> Texts {
        let recipe = format!(
            "#   podman build -t REGISTRY/lockflight:{}\nFROM docker.io/library/rust:{}-bookworm AS b\n\
             RUN --mount=type=cache,target=/t \\\n    {SCRIPT} /image\nFROM scratch\n\
             COPY --from=b /image/ /\nUSER 7:8\nENTRYPOINT [\"/lockflight\"]\nCMD [\"run\"]\n",
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_RUST_VERSION"),
        );
        Texts {
            recipe,
            script: "install \"$program\" \"$folder/lockflight\"\n".to_owned(),
            values: serde_json::json!({"podSecurityContext": {"runAsUser": 7, "runAsGroup": 8}}),
            deployment: "  args:\n    - run\n    - --x\n  env:\n    - name: KNOWN\n  ports:\n"
                .to_owned(),
            chart: serde_json::json!({"appVersion": env!("CARGO_PKG_VERSION")}),
            reference: "Variable: `KNOWN`.".to_owned(),
        }
    }

    /// A change of one of the texts.
    type Change = fn(&mut Texts);

    #[test]
    fn every_difference_is_found() {
        assert_eq!(complaints(&good()), Vec::<String>::new());
        let table: [(&str, Change); 11] = [
            ("rust-version", |t| t.recipe = t.recipe.replace("rust:", "rust:0.")),
            ("does not run", |t| t.recipe = t.recipe.replace(SCRIPT, "make")),
            ("has a base", |t| t.recipe = t.recipe.replace("scratch", "debian:12")),
            ("runs a command", |t| t.recipe.push_str("RUN true\n")),
            ("runAsUser", |t| t.values["podSecurityContext"]["runAsUser"] = 9.into()),
            ("is root", |t| t.recipe = t.recipe.replace("USER 7:8\n", "")),
            ("ENTRYPOINT is not", |t| t.recipe = t.recipe.replace("[\"/lock", "[\"/bin/lock")),
            ("CMD is not", |t| t.deployment = t.deployment.replace("- run", "- walk")),
            ("command of its own", |t| t.deployment.push_str("  command: [x]\n")),
            ("appVersion", |t| t.chart = serde_json::json!({"appVersion": "9"})),
            ("no variable OTHER", |t| t.deployment = t.deployment.replace("KNOWN", "OTHER")),
        ];
        for (expected, change) in table {
            let mut texts = good();
            change(&mut texts);
            let found = complaints(&texts);
            assert!(found.iter().any(|why| why.contains(expected)), "{expected}: {found:?}");
        }
    }
}
