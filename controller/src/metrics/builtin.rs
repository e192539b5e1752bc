//! Templates that come with Lockflight, so that most people write no PromQL.
//!
//! One file per source in `builtin/`, each with what it measures in its comments: from these the
//! reference in `docs/reference/builtin-templates.md` is written. A Rollout names one as
//! `builtin:NAME`. The names of Kubernetes objects have no colons, so no template of a user can be
//! meant.

use lockflight_crds::AnalysisTemplateSpec;

/// What a reference to a built-in template begins with.
pub const BUILTIN_PREFIX: &str = "builtin:";

/// A template that comes with Lockflight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// Its name, without the prefix.
    pub name: &'static str,
    /// Its spec with comments, as YAML.
    pub yaml: &'static str,
}

macro_rules! builtins {
    ($($name:literal),+ $(,)?) => {
        [$(Builtin { name: $name, yaml: include_str!(concat!("builtin/", $name, ".yaml")) }),+]
    };
}

/// All of them, by name.
const ALL: [Builtin; 11] = builtins![
    "app",
    "cilium",
    "contour",
    "envoy-gateway",
    "istio",
    "istio-gateway",
    "istio-grpc",
    "linkerd",
    "linkerd-gateway",
    "nginx-gateway-fabric",
    "traefik",
];

impl Builtin {
    /// All of them, by name.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// The names of all of them, without the prefix.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|builtin| builtin.name)
    }

    /// The one of this name, without the prefix.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|builtin| builtin.name == name)
    }

    /// Its spec. That each can be read is tested; one that could not would not be found.
    #[must_use]
    pub fn spec(&self) -> Option<AnalysisTemplateSpec> {
        serde_saphyr::from_str(self.yaml).ok()
    }
}

#[cfg(test)]
#[path = "builtin/connect_tests.rs"]
mod connect_tests;
#[cfg(test)]
#[path = "builtin/reference_tests.rs"]
mod reference_tests;
#[cfg(test)]
#[path = "builtin/scrape_tests.rs"]
mod scrape_tests;
