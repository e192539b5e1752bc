//! What renders and checks the charts.

use std::path::Path;
use std::process::Command;

use super::Recipe;
use super::recipes::{go_install, run};

const HELM: &str = "v4.3.1";
/// Its schemas reach from Kubernetes 1.25 to its own version.
const KUBERNETES_VALIDATE: &str = "1.37.0";

pub(super) fn helm() -> Recipe {
    Recipe {
        key: format!("helm-{HELM}"),
        file: "helm",
        name: "Helm",
        purpose: "renders Lockflight's charts",
        usual: "3 minutes on two cores",
        make: |dir| {
            go_install(dir, &["-ldflags=-s -w"], &format!("helm.sh/helm/v4/cmd/helm@{HELM}"))
        },
    }
}

pub(super) fn kubernetes_validate() -> Recipe {
    Recipe {
        key: format!("kubernetes-validate-{KUBERNETES_VALIDATE}"),
        file: "packages/kubernetes_validate/utils.py",
        name: "kubernetes-validate",
        purpose: "checks what the charts render",
        usual: "20 seconds",
        make: fetch_kubernetes_validate,
    }
}

/// A folder of packages, not a virtual environment: those cannot be moved into place.
fn fetch_kubernetes_validate(dir: &Path) -> anyhow::Result<()> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--only-binary", ":all:", "--target"]).arg(dir.join("packages"));
    pip.arg(format!("kubernetes-validate=={KUBERNETES_VALIDATE}"));
    run(pip).map(drop)
}
