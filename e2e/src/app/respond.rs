//! How the demo application answers one request.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::Instant;

use super::config::{Config, Faults};
use super::dice::{Dice, Moment};
use super::memory::ballast;
use super::metrics::Metrics;
use super::noise::Noise;

/// Prometheus 3 refuses a page that does not say its format.
const METRICS_FORMAT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// What all connections of one application share.
#[derive(Debug)]
pub(super) struct Application {
    config: Config,
    healthy_from: Instant,
    /// Held for its weight alone.
    _ballast: Vec<u8>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    faults: Faults,
    metrics: Metrics,
    requests: u64,
    dice: Dice,
    first_request: Option<Instant>,
    stopping: bool,
}

impl Application {
    pub(super) fn new(config: Config) -> Self {
        let metrics = Metrics::default();
        let dice = Dice::new(config.noise_seed, &config.pod_name, &cluster(config.address.ip()));
        let state = State {
            faults: config.faults,
            metrics,
            requests: 0,
            dice,
            first_request: None,
            stopping: false,
        };
        let healthy_from = Instant::now() + config.start_delay;
        let held = ballast(config.ballast_mib);
        Self { config, healthy_from, _ballast: held, state: Mutex::new(state) }
    }

    /// From now on every answer asks the client to close its connection.
    pub(super) fn stop(&self) {
        self.state().stopping = true;
    }

    /// Answers one request.
    pub(super) async fn respond<B>(&self, request: Request<B>) -> Response<Full<Bytes>> {
        let mut response = match (request.method(), request.uri().path()) {
            (_, "/") => self.answer().await,
            (_, "/healthz") => self.health(),
            (_, "/metrics") => {
                let mut response = plain(StatusCode::OK, self.state().metrics.render());
                response.headers_mut().insert(CONTENT_TYPE, METRICS_FORMAT);
                response
            }
            (&Method::GET, "/control") => self.faults(),
            (&Method::POST, "/control") => self.control(request.uri().query().unwrap_or_default()),
            (_, "/control") => plain(StatusCode::METHOD_NOT_ALLOWED, "GET or POST\n".to_owned()),
            _ => plain(StatusCode::NOT_FOUND, "no such page\n".to_owned()),
        };
        let headers = response.headers_mut();
        headers.insert("x-version", self.config.version.clone());
        if self.state().stopping {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn answer(&self) -> Response<Full<Bytes>> {
        let begun = Instant::now();
        let (latency, failed) = {
            let mut state = self.state();
            state.requests += 1;
            if self.config.crash_after_requests.is_some_and(|most| state.requests > most) {
                eprintln!("crashes after {} requests, as it was told", state.requests - 1);
                std::process::exit(1);
            }
            let spent = self.config.error_after_requests.is_some_and(|most| state.requests > most);
            let first = *state.first_request.get_or_insert(begun);
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let at = Moment { warm_for: begun.saturating_duration_since(first), wall };
            let faults = state.faults;
            let fate = state.dice.roll(&faults, at);
            // Traffic that arrives before the application is ready must be seen to fail.
            (fate.latency, spent || self.starting() || fate.failed)
        };
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        self.state().metrics.record(failed, begun.elapsed());
        let status = if failed { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        let version = self.config.version.to_str().unwrap_or_default();
        plain(status, format!("{version} {}\n", self.config.pod_name))
    }

    fn health(&self) -> Response<Full<Bytes>> {
        if self.state().stopping {
            plain(StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned())
        } else if self.starting() {
            plain(StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned())
        } else {
            plain(StatusCode::OK, "ok\n".to_owned())
        }
    }

    fn faults(&self) -> Response<Full<Bytes>> {
        let Faults { error_rate, latency, jitter, noise } = self.state().faults;
        let noise = if noise == Noise::default() { String::new() } else { format!("&{noise}") };
        let text = format!(
            "error_rate={error_rate}&latency_ms={}&latency_jitter_ms={}{noise}\n",
            latency.as_millis(),
            jitter.as_millis()
        );
        plain(StatusCode::OK, text)
    }

    fn control(&self, query: &str) -> Response<Full<Bytes>> {
        let changed = self.state().faults.changed_by(query);
        match changed {
            Ok(faults) => {
                self.state().faults = faults;
                self.faults()
            }
            Err(error) => plain(StatusCode::BAD_REQUEST, format!("{error}\n")),
        }
    }

    fn starting(&self) -> bool {
        Instant::now() < self.healthy_from
    }

    /// The lock is never held across an await, and nothing that holds it can panic.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the pods of a cluster share: all of their address but its last part.
fn cluster(pod: IpAddr) -> String {
    let text = pod.to_string();
    text.rsplit_once(['.', ':']).map_or(String::new(), |(network, _)| network.to_owned())
}

fn plain(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn application(pairs: &[(&str, &str)]) -> Application {
        let lookup = |name: &str| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Application::new(Config::parse(lookup).unwrap())
    }

    async fn ask(application: &Application, method: Method, uri: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        let response = application.respond(request).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn it_names_its_version_and_pod() {
        let application = application(&[("VERSION", "v1"), ("POD_NAME", "a-1")]);
        assert_eq!(ask(&application, Method::GET, "/").await, (200, "v1 a-1\n".to_owned()));
        assert_eq!(ask(&application, Method::GET, "/other").await.0, 404);
    }

    #[tokio::test]
    async fn faults_can_be_set_while_it_runs() {
        let application = application(&[("VERSION", "v1")]);
        let (status, shown) = ask(&application, Method::POST, "/control?error_rate=1").await;
        assert_eq!(
            (status, shown.as_str()),
            (200, "error_rate=1&latency_ms=0&latency_jitter_ms=0\n")
        );
        assert_eq!(ask(&application, Method::GET, "/").await.0, 500);
        assert_eq!(ask(&application, Method::POST, "/control?error_rate=9").await.0, 400);
        assert_eq!(ask(&application, Method::GET, "/control").await.1, shown);
        let (_, page) = ask(&application, Method::GET, "/metrics").await;
        assert!(page.contains("http_requests_total{code=\"500\"} 1\n"));
    }

    #[tokio::test]
    async fn it_fails_after_so_many_requests() {
        let application = application(&[("VERSION", "v1"), ("ERROR_AFTER_REQUESTS", "2")]);
        for expected in [200, 200, 500, 500] {
            assert_eq!(ask(&application, Method::GET, "/").await.0, expected);
        }
    }

    #[tokio::test]
    async fn it_is_not_healthy_while_it_starts_and_stops() {
        let slow = application(&[("VERSION", "v1"), ("START_DELAY_MS", "600000")]);
        assert_eq!(ask(&slow, Method::GET, "/healthz").await.0, 503);
        assert_eq!(ask(&slow, Method::GET, "/").await.0, 500);

        let quick = application(&[("VERSION", "v1")]);
        assert_eq!(ask(&quick, Method::GET, "/healthz").await.0, 200);
        quick.stop();
        let response = quick.respond(Request::new(())).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONNECTION], "close");
        assert_eq!(ask(&quick, Method::GET, "/healthz").await.0, 503);
    }

    #[tokio::test]
    async fn noise_is_shown_and_set_like_other_faults() {
        let application = application(&[("VERSION", "v1"), ("ERROR_BURST_MEAN", "2.5")]);
        let (_, shown) = ask(&application, Method::GET, "/control").await;
        assert!(shown.contains("&error_burst_mean=2.5&"), "{shown}");
        let (status, shown) = ask(&application, Method::POST, "/control?pod_factor=3").await;
        assert!(status == 200 && shown.contains("&pod_factor=3&"), "{shown}");
    }

    #[test]
    fn the_pods_of_a_cluster_share_a_network() {
        let of = |ip: &str| cluster(ip.parse().unwrap());
        assert_eq!(of("10.200.1.12"), of("10.200.1.200"));
        assert_ne!(of("10.200.1.12"), of("10.200.2.12"));
    }
}
