//! Which dashboards the hub is willing to serve.

use clap::Parser;

use super::harness::bed;
use crate::dashboard::{Access, DashboardArguments};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    dashboard: DashboardArguments,
}

#[tokio::test]
async fn strangers_are_let_in_by_no_combination_of_flags() {
    let bed = bed(Access::nobody);
    let table = [
        ("", Ok(false)),
        ("--dashboard-listen 127.0.0.1:0", Ok(true)),
        ("--dashboard-listen [::1]:0", Ok(true)),
        ("--dashboard-listen 0.0.0.0:9090", Err("on loopback only")),
        ("--dashboard-listen [::]:9090", Err("on loopback only")),
        ("--dashboard-listen 0.0.0.0:9090 --dashboard-sign-in token", Ok(true)),
        ("--dashboard-listen 0.0.0.0:9090 --dashboard-sign-in proxy", Err("trusted-proxies")),
        (
            "--dashboard-listen 0.0.0.0:9090 --dashboard-sign-in proxy \
             --dashboard-trusted-proxies 10.1.0.0/16,10.2.0.1",
            Ok(true),
        ),
        (
            "--dashboard-listen 0.0.0.0:9090 --dashboard-sign-in token \
             --dashboard-trusted-proxies 10.1.0.0/16",
            Err("only for --dashboard-sign-in=proxy"),
        ),
    ];
    for (flags, expected) in table {
        let words = ["hub"].into_iter().chain(flags.split_whitespace());
        let line = Line::try_parse_from(words).unwrap();
        let opened = line.dashboard.open(bed.client(), bed.source());
        match (opened, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.is_some(), expected, "{flags}"),
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{flags}: {error}");
            }
            (opened, _) => panic!("{flags}: {:?}", opened.map(|found| found.is_some())),
        }
    }
    let wrong = "hub --dashboard-listen 1.2.3.4:1 --dashboard-trusted-proxies 10.0.0.0/99";
    assert!(Line::try_parse_from(wrong.split(' ')).is_err());
}
