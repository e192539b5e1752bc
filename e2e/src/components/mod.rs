//! The programs and files that a fleet is made of, built or fetched once into the user's cache.
//!
//! Building needs the network, so it happens outside the namespace ([`ensure_all`], before
//! [`crate::namespace::enter`]); inside, [`locate`] only looks up.

mod chart_tools;
mod prerequisites;
mod recipes;
mod store;

use std::path::PathBuf;

use anyhow::Context;

pub use recipes::KUBERNETES;
use store::Store;
pub use store::cache_dir;

/// Where every component lies.
#[derive(Clone, Debug)]
pub struct Components {
    /// The control plane and kubectl in one program.
    pub hk: PathBuf,
    /// The gateway controller.
    pub contour: PathBuf,
    /// The gateway.
    pub envoy: PathBuf,
    /// The metrics store.
    pub prometheus: PathBuf,
    /// What renders Lockflight's charts.
    pub helm: PathBuf,
    /// Reads and tests rules of the metrics store.
    pub promtool: PathBuf,
    /// `CustomResourceDefinition`s of the Gateway API, experimental channel.
    pub gateway_api_crds: PathBuf,
    /// `CustomResourceDefinition`s of Contour.
    pub contour_crds: PathBuf,
}

impl Components {
    /// The definitions that a cluster with a gateway needs.
    pub fn gateway_crds(&self) -> anyhow::Result<Vec<serde_json::Value>> {
        let mut crds = Vec::new();
        for file in [&self.gateway_api_crds, &self.contour_crds] {
            let part: Vec<_> = serde_json::from_slice(&std::fs::read(file)?)?;
            crds.extend(part);
        }
        Ok(crds)
    }
}

/// One thing that can be made and kept.
struct Recipe {
    /// Folder in the cache: name, version, and a digest where the version alone does not tell.
    key: String,
    /// The file in that folder.
    file: &'static str,
    /// What a user knows it as.
    name: &'static str,
    /// What it is for, in a few words.
    purpose: &'static str,
    /// What a user is told about the time it takes.
    usual: &'static str,
    /// Puts `file` into the given folder.
    make: fn(&std::path::Path) -> anyhow::Result<()>,
}

/// Builds or fetches whatever is missing or damaged. Inside the namespace it only looks up.
pub fn ensure_all() -> anyhow::Result<Components> {
    if crate::namespace::is_inside() {
        return locate();
    }
    crate::namespace::check()?;
    make_missing(&Store::open()?, recipes::all()?)?;
    locate()
}

/// What checks the charts, without a fleet.
#[derive(Clone, Debug)]
pub struct ChartTools {
    /// Renders and lints.
    pub helm: PathBuf,
    /// Folder of Python packages with `kubernetes_validate`, the schemas of Kubernetes' kinds.
    pub kubernetes_validate: PathBuf,
}

/// Builds or fetches what checks the charts, where it is missing or damaged.
pub fn ensure_chart_tools() -> anyhow::Result<ChartTools> {
    let store = Store::open()?;
    let (helm, validate) = (chart_tools::helm(), chart_tools::kubernetes_validate());
    let paths = (store.file(&helm), store.file(&validate));
    make_missing(&store, vec![helm, validate])?;
    let packages = paths.1.ancestors().nth(2).context("a recipe without its folder")?;
    Ok(ChartTools { helm: paths.0, kubernetes_validate: packages.to_owned() })
}

fn make_missing(store: &Store, recipes: Vec<Recipe>) -> anyhow::Result<()> {
    let missing: Vec<_> = recipes.into_iter().filter(|r| !store.is_sound(r)).collect();
    if !missing.is_empty() {
        prerequisites::check()?;
    }
    let count = missing.len();
    (1..).zip(&missing).try_for_each(|(n, recipe)| store.make(recipe, &format!("{n} of {count}")))
}

/// Finds all components, or says which one is missing.
pub fn locate() -> anyhow::Result<Components> {
    let store = Store::open()?;
    let find = |recipe: &Recipe| {
        let file = store.file(recipe);
        anyhow::ensure!(file.is_file(), "{} is not there", file.display());
        Ok(file)
    };
    let found = |recipe: anyhow::Result<Recipe>| {
        find(&recipe?).context("run `lockflight-fleet build` first")
    };
    Ok(Components {
        hk: found(recipes::hk())?,
        contour: found(Ok(recipes::contour()))?,
        envoy: found(Ok(recipes::envoy()))?,
        prometheus: found(Ok(recipes::prometheus()))?,
        helm: found(Ok(chart_tools::helm()))?,
        promtool: found(Ok(recipes::promtool()))?,
        gateway_api_crds: found(Ok(recipes::gateway_api_crds()))?,
        contour_crds: found(Ok(recipes::contour_crds()))?,
    })
}
