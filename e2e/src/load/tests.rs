use std::convert::Infallible;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;

const DEADLINE: Duration = Duration::from_secs(30);

/// Answers every fourth request as a failing v2, every tenth as a gateway without an endpoint,
/// the others as v1. Gives the number of requests and of connections that it has served.
async fn server() -> (SocketAddr, watch::Receiver<(u64, u64)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (counts, served) = watch::channel((0, 0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counts.send_modify(|(_, connections)| *connections += 1);
            let counts = counts.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                assert_eq!(request.headers()["host"], "checkout.test");
                let mut number = 0;
                counts.send_modify(|(requests, _)| {
                    number = *requests;
                    *requests += 1;
                });
                async move { Ok::<_, Infallible>(answer(number)) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    (address, served)
}

fn answer(number: u64) -> Response<Full<Bytes>> {
    let response = match number {
        n if n % 10 == 9 => Response::builder().status(StatusCode::SERVICE_UNAVAILABLE),
        n if n % 4 == 3 => {
            Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).header("x-version", "v2")
        }
        _ => Response::builder().header("x-version", "v1"),
    };
    response.body(Full::default()).unwrap()
}

async fn after(load: &Load, served: &mut watch::Receiver<(u64, u64)>, requests: u64) {
    let enough = served.wait_for(|(count, _)| *count >= requests);
    timeout(DEADLINE, enough).await.unwrap().unwrap();
    assert!(load.snapshot().sent >= requests);
}

#[tokio::test]
async fn every_request_is_accounted_for() {
    let (address, mut served) = server().await;
    let load = Load::builder(address, "checkout.test").rps(1000).start().unwrap();
    after(&load, &mut served, 200).await;
    let report = load.stop().await;

    let (requests, _) = *served.borrow();
    assert_eq!(report.sent, requests);
    assert_eq!(report.answered, requests);
    assert_eq!((report.lost, report.overrun), (0, 0));
    let expected = |kind: fn(u64) -> bool| (0..requests).filter(|n| kind(*n)).count() as u64;
    assert_eq!(report.gateway_errors, expected(|n| n % 10 == 9));
    assert_eq!(report.gateway_statuses[&503], report.gateway_errors);
    assert_eq!(report.failed(), report.gateway_errors);
    assert_eq!(report.by_version["v2"][&500], expected(|n| n % 10 != 9 && n % 4 == 3));
    assert_eq!(report.by_version["v1"][&200], expected(|n| n % 10 != 9 && n % 4 != 3));
    assert_eq!(report.of_version("v3"), 0);
    assert!(report.latency["v1"].p50 <= report.latency["v1"].p99);
    assert!(report.seen["v1"].first < report.seen["v1"].last);
}

#[tokio::test]
async fn connections_are_used_again_only_with_keep_alive() {
    for keep_alive in [true, false] {
        let (address, mut served) = server().await;
        let builder = Load::builder(address, "checkout.test").rps(200);
        let load = builder.keep_alive(keep_alive).start().unwrap();
        after(&load, &mut served, 50).await;
        assert_eq!(load.stop().await.lost, 0);
        let (requests, connections) = *served.borrow();
        if keep_alive {
            assert!(connections < requests, "{connections} for {requests}");
        } else {
            assert!(connections >= requests, "{connections} for {requests}");
        }
    }
}

#[tokio::test]
async fn a_refused_connection_is_a_lost_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let builder = Load::builder(address, "checkout.test").rps(100);
    let mut load = builder.max_duration(Duration::from_millis(100)).start().unwrap();
    timeout(DEADLINE, &mut load.task).await.unwrap().unwrap();
    let report = load.snapshot();
    assert_eq!((report.sent, report.lost, report.answered), (10, 10, 0));
    assert_eq!(report.failed(), 10);
    assert_eq!(report.lost_errors.len(), 5);
    assert!(report.lost_errors[0].contains("refused"), "{:?}", report.lost_errors);
}

#[tokio::test]
async fn what_exceeds_the_limit_in_flight_is_overrun() {
    // It accepts connections (by its backlog) and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let builder = Load::builder(address, "checkout.test").rps(1000).max_in_flight(3);
    let mut load = builder.max_duration(Duration::from_millis(50)).start().unwrap();
    timeout(DEADLINE, &mut load.task).await.unwrap().unwrap();
    let report = load.snapshot();
    assert_eq!((report.sent, report.lost, report.overrun), (3, 3, 47));
    assert!(report.lost_errors[0].starts_with("no answer within 5s, 0.0 s after"), "{report:?}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_at_the_start() {
    let gateway = "127.0.0.1:1".parse().unwrap();
    assert!(Load::builder(gateway, "a\nb").start().is_err());
    assert!(Load::builder(gateway, "a").path("no path").start().is_err());
    assert!(Load::builder(gateway, "a").rps(0).start().is_err());
}
