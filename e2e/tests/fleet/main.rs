//! What must hold, on a real fleet: a hub, three members, gateways, metrics, and load.
//!
//! One fleet is started for the whole run, by the first test that needs it; each test has a
//! namespace and a Rollout of its own. Run it by name, with a filter if not all of it is wanted:
//! `cargo test -p lockflight-e2e --test fleet -- bad_release`.

mod aggregated;
mod bad;
mod bed;
mod break_glass;
mod change;
mod commands;
mod confined;
mod conflict;
mod contended;
mod counters;
mod crash;
mod crashing;
mod dashboard;
mod evidence;
mod gauge;
mod healthy;
mod input;
mod look;
mod metrics;
mod monitoring;
mod pages;
mod partition;
mod proxied;
mod revisions;
mod rights;
mod roles;
mod stall;
mod thresholds;
mod trust;
mod tutorial;

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
    match play() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn play() -> anyhow::Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    // The fleet is shared, and some tests stop parts of it.
    arguments.test_threads = Some(1);
    if !arguments.list {
        components::ensure_all()?;
        namespace::enter(&[])?;
    }
    let whole = arguments.filter.is_none() && arguments.skip.is_empty();
    let shared = Shared::new(whole)?;
    let stories = stories![
        healthy::healthy_release_reaches_every_cluster_without_a_lost_request,
        bad::bad_release_is_taken_back_where_it_began,
        bad::failure_in_the_second_wave_takes_the_finished_cluster_back,
        bad::unreachable_cluster_is_owed_its_rollback,
        crashing::release_whose_pods_crash_under_traffic_is_taken_back,
        crash::killing_the_hub_at_any_moment_changes_no_outcome,
        partition::cut_off_cluster_holds_the_ramp_without_a_budget,
        partition::cut_off_cluster_is_passed_within_the_budget,
        partition::abort_is_as_fast_with_a_cluster_cut_off,
        commands::tokens_open_the_gates_that_they_name_and_no_others,
        commands::abort_wins_over_a_promotion_given_with_it,
        commands::abort_at_rest_changes_nothing_and_spares_the_next_release,
        conflict::foreign_weight_is_named_and_not_fought,
        conflict::abort_takes_the_traffic_off_where_the_route_may_not_be_written,
        contended::writes_of_others_cost_another_try_and_nothing_else,
        revisions::old_revisions_are_deleted_beyond_the_last_three,
        change::newer_revision_in_mid_rollout_loses_nothing,
        change::newer_revision_in_mid_promotion_loses_nothing,
        change::spec_reverted_to_stable_takes_the_release_back,
        change::same_manifest_applied_again_starts_nothing,
        change::deleted_rollout_leaves_stable_serving,
        change::wiped_status_is_never_a_first_deployment,
        input::impossible_steps_and_unknown_fields_are_refused_at_the_door,
        input::impossible_spec_is_named_and_moves_nothing,
        input::unknown_field_in_the_template_is_named,
        input::unusable_routes_are_named,
        input::image_that_never_gets_ready_is_taken_back,
        input::query_that_errors_is_named,
        input::hostile_kubeconfig_is_refused,
        metrics::metric_source_down_holds_and_says_so,
        metrics::empty_results_and_nan_hold_and_say_so,
        thresholds::threshold_of_argo_tells_good_from_bad,
        thresholds::threshold_of_flagger_tells_good_from_bad,
        thresholds::threshold_with_two_meanings_is_refused_at_the_door,
        thresholds::job_measures_and_takes_the_release_back,
        counters::failures_are_counted_over_the_hubs_restarts,
        gauge::swollen_memory_is_taken_back_and_as_much_is_promoted,
        gauge::gauge_that_cannot_be_compared_is_refused_at_the_door,
        trust::tools_for_trust_agree_with_the_hub,
        proxied::prometheus_that_only_the_member_reaches_decides,
        metrics::nothing_is_written_at_rest,
        dashboard::dashboard_refuses_every_bad_credential_on_every_route,
        dashboard::dashboard_gives_people_what_rbac_gives_them,
        dashboard::dashboard_follows_a_real_rollout,
        dashboard::dashboard_abort_in_a_browser_takes_the_traffic_off,
        confined::hub_works_under_the_charts_network_policy,
        aggregated::kubernetes_own_roles_have_lockflights_rights,
        roles::approving_needs_the_right_to_approve,
        monitoring::alert_rules_do_what_their_tests_say,
        monitoring::every_panel_has_data_and_every_rule_can_be_asked,
        tutorial::tutorial_does_what_it_says,
        break_glass::break_glass_takes_the_traffic_off_without_the_hub,
        break_glass::break_glass_brings_back_what_was_promoted_over,
        // Last: it looks at what all others have used.
        rights::charts_grant_what_is_used_and_nothing_else,
    ];
    let trials = stories.map(|(name, story)| {
        let shared = shared.clone();
        Trial::test(name, move || shared.play(name, story).map_err(Into::into))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.into());
    shared.stop();
    Ok(conclusion.exit_code())
}
