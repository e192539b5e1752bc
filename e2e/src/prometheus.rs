//! A member's Prometheus: it scrapes the gateway and every pod that asks for it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::process::{self, Process, Spec};
use crate::{addresses, http};

const READY_DEADLINE: Duration = Duration::from_mins(1);
const GRACE: Duration = Duration::from_secs(5);

/// One member's metrics store.
pub struct Prometheus {
    process: Process,
    address: Ipv4Addr,
    config: PathBuf,
}

impl Prometheus {
    /// Starts the Prometheus of `cluster` and returns when it answers.
    pub async fn launch(
        cluster: &Cluster,
        program: &Path,
        scrape_interval: Duration,
    ) -> anyhow::Result<Self> {
        let address = addresses::prometheus(cluster.index());
        let config = cluster.dir().join("prometheus.json");
        std::fs::write(&config, settings(cluster, scrape_interval).to_string())?;
        let process = Process::new(Spec {
            name: format!("prometheus of {}", cluster.name()),
            program: program.to_owned(),
            args: vec![
                format!("--config.file={}", config.display()),
                format!("--storage.tsdb.path={}", cluster.dir().join("prometheus").display()),
                format!("--web.listen-address={address}:{}", addresses::PROMETHEUS_PORT),
                "--log.level=warn".to_owned(),
            ],
            env: Vec::new(),
            log: process::create_log(cluster.dir().join("prometheus.log"))?,
        });
        let prometheus = Self { process, address, config };
        prometheus.start().await?;
        Ok(prometheus)
    }

    /// Starts it again after [`Self::stop`]; what was scraped before is still there.
    pub async fn start(&self) -> anyhow::Result<()> {
        self.process.start()?;
        let address = (self.address, addresses::PROMETHEUS_PORT);
        self.process
            .wait_ready(READY_DEADLINE, async || http::expect_ok(address, "/-/ready").await)
            .await
    }

    /// Scrapes `/metrics` of `target` too, from now on.
    pub fn also_scrape(&self, job: &str, target: SocketAddr) -> anyhow::Result<()> {
        let mut settings: Value = serde_json::from_slice(&std::fs::read(&self.config)?)?;
        let jobs = settings["scrape_configs"].as_array_mut().context("no scrape_configs")?;
        jobs.push(json!({
            "job_name": job,
            "static_configs": [{ "targets": [target.to_string()] }],
        }));
        std::fs::write(&self.config, settings.to_string())?;
        let id = self.process.id().context("this Prometheus does not run")?;
        Ok(kill(Pid::from_raw(i32::try_from(id)?), Signal::SIGHUP)?)
    }

    /// Asks for an expression at every second of a span, as a panel does; how many values of the
    /// answer are numbers. An expression that cannot be evaluated is an error.
    pub async fn numbers(
        &self,
        expression: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> anyhow::Result<usize> {
        let path = format!(
            "/api/v1/query_range?query={}&start={}&end={}&step=1",
            encoded(expression),
            from.timestamp(),
            to.timestamp()
        );
        let (status, body) = http::get((self.address, addresses::PROMETHEUS_PORT), &path).await?;
        let text = String::from_utf8_lossy(&body);
        anyhow::ensure!(status == 200, "{expression}: {status} {}", text.trim());
        let answer: Value = serde_json::from_slice(&body)?;
        let series = answer["data"]["result"].as_array().context("an answer without a result")?;
        let values =
            series.iter().flat_map(|series| series["values"].as_array().into_iter().flatten());
        let numbers = values.filter(|value| {
            value[1].as_str().and_then(|text| text.parse().ok()).is_some_and(f64::is_finite)
        });
        Ok(numbers.count())
    }

    /// Ends it; queries are refused from now on.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.process.stop(GRACE).await
    }

    /// Ends it at once.
    pub async fn kill(&self) -> anyhow::Result<()> {
        self.process.kill9().await
    }
}

/// For the query of an address.
fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn settings(cluster: &Cluster, scrape_interval: Duration) -> Value {
    let envoy = format!("{}:{}", addresses::envoy(cluster.index()), addresses::ENVOY_STATS_PORT);
    let interval = format!("{}ms", scrape_interval.as_millis());
    let pod = |name: &str| format!("__meta_kubernetes_pod_{name}");
    json!({
        "global": { "scrape_interval": interval, "scrape_timeout": interval },
        "scrape_configs": [
            {
                "job_name": "envoy",
                "metrics_path": "/stats/prometheus",
                "static_configs": [{ "targets": [envoy] }],
            },
            {
                "job_name": "pods",
                "kubernetes_sd_configs": [{
                    "role": "pod",
                    "kubeconfig_file": cluster.kubeconfig(),
                }],
                "relabel_configs": [
                    {
                        "source_labels": [pod("annotation_prometheus_io_scrape")],
                        "regex": "true",
                        "action": "keep",
                    },
                    // A pod that has ended keeps its address for a while.
                    {
                        "source_labels": [pod("phase")],
                        "regex": "Running",
                        "action": "keep",
                    },
                    {
                        "source_labels": [pod("ip"), pod("annotation_prometheus_io_port")],
                        "separator": ":",
                        "target_label": "__address__",
                    },
                    {
                        "source_labels": [pod("annotation_prometheus_io_path")],
                        "regex": "(.+)",
                        "target_label": "__metrics_path__",
                    },
                    {
                        "source_labels": ["__meta_kubernetes_namespace"],
                        "target_label": "namespace",
                    },
                    { "source_labels": [pod("name")], "target_label": "pod" },
                ],
            },
        ],
    })
}
