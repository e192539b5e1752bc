//! The crates that decide can do nothing else: their dependencies hold them to it.

use anyhow::Result;

use crate::workspace::{cargo, output, verdict};

/// Crates that take values and return values.
const PURE: [&str; 2] = ["lockflight-planner", "lockflight-analysis"];

/// What does I/O, waits, or knows Kubernetes.
const BANNED: [&str; 8] =
    ["hyper", "k8s-openapi", "kube", "kube-client", "kube-core", "mio", "reqwest", "tokio"];

/// Features of chrono that read the clock of the machine.
const CLOCKS: [&str; 2] = ["clock", "now"];

/// Looks at what cargo would build for each of them alone.
pub(crate) fn check() -> Result<String> {
    let mut complaints = Vec::new();
    for package in PURE {
        let tree = ["tree", "-p", package, "-e", "normal", "--prefix", "none", "--locked"];
        let list = output(cargo(&tree).args(["--format", "{p} [{f}]"]))?;
        complaints.extend(list.lines().filter_map(|line| impurity(package, line)));
    }
    complaints.sort();
    complaints.dedup();
    verdict(&complaints, format!("{} do no I/O and know no clock", PURE.join(" and ")))
}

/// A line of the tree: `name version (source) [feature,feature]`.
fn impurity(package: &str, line: &str) -> Option<String> {
    let name = line.split(' ').next()?;
    if BANNED.contains(&name) {
        return Some(format!("{package} depends on {name}"));
    }
    let features = line.rsplit_once('[')?.1.split(']').next()?;
    let clock = features.split(',').find(|feature| CLOCKS.contains(feature))?;
    (name == "chrono").then(|| format!("{package} builds chrono with the feature {clock}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pure_crates_are_pure() {
        check().unwrap();
    }

    #[test]
    fn finds_runtimes_and_clocks() {
        let found = |line| impurity("p", line);
        assert!(found("tokio v1.0.0 [rt]").is_some());
        assert!(found("chrono v0.4.45 [alloc,clock,std]").is_some());
        assert!(found("chrono v0.4.45 [alloc,serde,std] (*)").is_none());
        assert!(found("p v0.1.0 (/somewhere) [now]").is_none());
    }
}
