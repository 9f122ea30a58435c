//! Prometheus and its Alertmanager, as Debian packages them, with the rules of the repository.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use database::{ChildProcess, IfAbandoned};
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use super::queries::hurried;
use crate::cargo::workspace;
use crate::stage::http::Request;
use crate::stage::{free_address, until};

/// As in `deploy/monitoring/prometheus.yaml`.
const JOB: &str = "kubernaut-audit-store";

/// The programs, and their packages.
const PROGRAMS: [(&str, &str); 2] = [
    ("prometheus", "prometheus"),
    ("prometheus-alertmanager", "prometheus-alertmanager"),
];

const PATIENCE: Duration = Duration::from_mins(1);

/// Both servers. They end with this value.
pub(super) struct Prometheus {
    address: SocketAddr,
    alertmanager: SocketAddr,
    _processes: [ChildProcess; 2],
}

/// The state of an alert, the worst of its series.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Inactive,
    Pending,
    Firing,
}

/// Fails if a program is missing.
pub(super) fn check_installed() -> Result<()> {
    for (program, package) in PROGRAMS {
        let mut command = Command::new(program);
        command.arg("--version");
        let found = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        found.with_context(|| {
            format!("{program} cannot be run; install Debian's package {package}")
        })?;
    }
    Ok(())
}

impl Prometheus {
    /// Starts both, in which a minute of the rules takes a second, to scrape `target` every second.
    pub(super) async fn start(folder: &Path, target: SocketAddr) -> Result<Self> {
        let (address, alertmanager) = (free_address()?, free_address()?);
        let rules = workspace().join("deploy/monitoring/rules.yaml");
        let rules = fs::read_to_string(rules).context("the rules")?;
        fs::write(folder.join("rules.yaml"), hurried(&rules))?;
        fs::write(folder.join("prometheus.yaml"), config(target, alertmanager))?;
        fs::write(folder.join("alertmanager.yaml"), RECEIVER)?;
        let path = |name: &str| folder.join(name).display().to_string();
        let processes = [
            run(
                folder,
                "prometheus",
                &[
                    format!("--config.file={}", path("prometheus.yaml")),
                    format!("--storage.tsdb.path={}", path("prometheus")),
                    format!("--web.listen-address={address}"),
                ],
            )?,
            run(
                folder,
                "prometheus-alertmanager",
                &[
                    format!("--config.file={}", path("alertmanager.yaml")),
                    format!("--storage.path={}", path("alertmanager")),
                    format!("--web.listen-address={alertmanager}"),
                    // Alone.
                    "--cluster.listen-address=".to_owned(),
                ],
            )?,
        ];
        for server in [address, alertmanager] {
            until("Prometheus is ready", PATIENCE, async || {
                let answer = Request::get("/-/ready").send(server).await;
                Ok(answer.is_ok_and(|answer| answer.status == 200))
            })
            .await?;
        }
        Ok(Self {
            address,
            alertmanager,
            _processes: processes,
        })
    }

    /// The names of all alerts.
    pub(super) async fn rules(&self) -> Result<Vec<String>> {
        let data = self.ask("/api/v1/rules?type=alert").await?;
        let groups = data["groups"].as_array().context("no groups")?;
        let rules = groups.iter().filter_map(|group| group["rules"].as_array());
        let names = rules.flatten().filter_map(|rule| rule["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// What Prometheus says of an alert.
    pub(super) async fn state(&self, alert: &str) -> Result<State> {
        let data = self.ask("/api/v1/alerts").await?;
        let alerts = data["alerts"].as_array().context("no alerts")?;
        let states = alerts
            .iter()
            .filter(|active| active["labels"]["alertname"] == alert)
            .map(|active| match active["state"].as_str() {
                Some("firing") => State::Firing,
                Some("pending") => State::Pending,
                _ => State::Inactive,
            });
        Ok(states.max().unwrap_or(State::Inactive))
    }

    /// Whether the Alertmanager would tell somebody of it.
    pub(super) async fn is_told(&self, alert: &str) -> Result<bool> {
        let path = format!(
            "/api/v2/alerts?filter={}",
            encoded(&format!("alertname={alert}"))
        );
        let answer = Request::get(path).send(self.alertmanager).await?;
        let alerts: Value = serde_json::from_str(&answer.body).context("the Alertmanager")?;
        Ok(alerts.as_array().is_some_and(|alerts| !alerts.is_empty()))
    }

    /// Whether a query has an answer with a number in it.
    pub(super) async fn has_data(&self, query: &str) -> Result<bool> {
        let path = format!("/api/v1/query?query={}", encoded(query));
        let data = self.ask(&path).await.with_context(|| query.to_owned())?;
        let series = data["result"].as_array().context("no result")?;
        let is_number = |one: &Value| one["value"][1].as_str().is_some_and(|value| value != "NaN");
        Ok(series.iter().any(is_number))
    }

    async fn ask(&self, path: &str) -> Result<Value> {
        let answer = Request::get(path).send(self.address).await?;
        let mut said: Value = serde_json::from_str(&answer.body).context("no JSON")?;
        if said["status"] != "success" {
            bail!(
                "Prometheus answers with {}: {}",
                answer.status,
                said["error"]
            );
        }
        Ok(said["data"].take())
    }
}

/// Nobody is told of anything.
const RECEIVER: &str = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";

fn config(target: SocketAddr, alertmanager: SocketAddr) -> String {
    format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [rules.yaml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ['{alertmanager}']}}]}}]}}
scrape_configs: [{{job_name: {JOB}, static_configs: [{{targets: ['{target}']}}]}}]
"
    )
}

/// Runs a program, which writes its log into the folder. If this process is killed, the folder goes with the program.
fn run(folder: &Path, program: &str, arguments: &[String]) -> Result<ChildProcess> {
    let log = File::create(folder.join(format!("{program}.log")))?;
    let mut shell = Command::new("sh");
    shell
        .current_dir(folder)
        .stdout(log.try_clone()?)
        .stderr(log);
    let line: Vec<&OsStr> = [OsStr::new(program)]
        .into_iter()
        .chain(arguments.iter().map(OsStr::new))
        .collect();
    ChildProcess::start(&mut shell, &line, IfAbandoned::Remove(folder))
        .with_context(|| format!("{program} does not start"))
}

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}
