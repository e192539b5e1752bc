//! What must hold, on a real fleet: a hub, three members, gateways, metrics, and load.
//!
//! One fleet is started for the whole run, by the first test that needs it; each test has a
//! namespace and a Rollout of its own. Run it by name, with a filter if not all of it is wanted:
//! `cargo test -p lockflight-e2e --test fleet -- bad_release`.

mod bad;
mod bed;
mod evidence;
mod healthy;
mod look;

use std::process::ExitCode;

use futures::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Trial};
use lockflight_e2e::{components, namespace};

use bed::{Bed, Shared};

type Story = for<'a> fn(&'a Bed) -> LocalBoxFuture<'a, anyhow::Result<()>>;

macro_rules! stories {
    ($($module:ident::$name:ident),* $(,)?) => {
        [$((stringify!($name), (|bed| Box::pin($module::$name(bed))) as Story)),*]
    };
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The fleet is shared, and some tests stop parts of it.
    arguments.test_threads = Some(1);
    if !arguments.list
        && let Err(error) = components::ensure_all().and_then(|_| namespace::enter(&[]))
    {
        eprintln!("{error:#}");
        return ExitCode::FAILURE;
    }
    let shared = Shared::new();
    let stories = stories![
        healthy::healthy_release_reaches_every_cluster_without_a_lost_request,
        bad::bad_release_is_taken_back_where_it_began,
        bad::failure_in_the_second_wave_takes_the_finished_cluster_back,
        bad::unreachable_cluster_is_owed_its_rollback,
    ];
    let trials = stories.map(|(name, story)| {
        let shared = shared.clone();
        Trial::test(name, move || shared.play(name, story).map_err(Into::into))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.into());
    shared.stop();
    conclusion.exit_code()
}
