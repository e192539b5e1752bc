//! The tutorial, on a fleet as the demo leaves it.

use anyhow::{Context as _, ensure};
use lockflight_e2e::console::steps;
use lockflight_e2e::demo;
use lockflight_e2e::service::Release;

use crate::bed::{Bed, RELEASE, SOON};
use crate::pages::{follow, page, shell};

/// Every command of the page does what the page says, on a fleet as the demo leaves it.
pub(crate) async fn tutorial_does_what_it_says(bed: &Bed) -> anyhow::Result<()> {
    let service = bed.checkout(demo::settings()).await?;
    service.establish(&Release::new("v2"), SOON).await?;
    let _load = service.load(demo::RPS)?;
    service.release(&demo::bad_release("v3")).await?;
    service.aborted(RELEASE).await.context("the demo's bad release")?;

    let (shell, folder) = shell(bed)?;
    let steps = steps(&page("tutorial.md")?)?;
    ensure!(steps.len() > 20, "the page has only {} steps", steps.len());
    follow(&shell, &steps, &folder).await
}
