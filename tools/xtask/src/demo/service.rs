//! The service that is shown.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use database::{ChildProcess, IfAbandoned};
use rustix::process::Signal;
use serde_json::Value;
use url::Url;

use crate::progress::say;
use crate::readiness;
use crate::stage::free_address;
use crate::stage::http::{Answer, Request};

/// The variable of the service that says what it logs.
const LOG_LEVEL: &str = "SPIN_VARIABLE_LOG_LEVEL";
/// How long `up` may take to end.
const STOP_PATIENCE: Duration = Duration::from_mins(1);

/// Where it is, and who asks.
pub(super) struct Service {
    address: SocketAddr,
    /// Of the header `Authorization`, if there is to be one.
    authorization: Option<String>,
    /// `cargo xtask up`, if it was started here.
    up: Option<ChildProcess>,
}

impl Service {
    /// One that runs.
    pub(super) fn at(url: &str, token: Option<&str>) -> Result<Self> {
        let parsed = Url::parse(url).with_context(|| format!("{url} is no URL"))?;
        if parsed.scheme() != "http" {
            bail!("{url} is not of http; forward a port of the service to this machine");
        }
        let addresses = parsed
            .socket_addrs(|| Some(80))
            .with_context(|| format!("{url} cannot be resolved"))?;
        Ok(Self {
            address: *addresses
                .first()
                .with_context(|| format!("{url} has no address"))?,
            authorization: token.map(|token| format!("Bearer {token}")),
            up: None,
        })
    }

    /// Brings one up by this program's own command, which says how far it is.
    pub(super) async fn bring_up(no_embeddings: bool) -> Result<Self> {
        let address = free_address()?;
        let program = std::env::current_exe().context("this program has no path")?;
        let listen = address.to_string();
        let mut line = vec![
            program.as_os_str(),
            OsStr::new("up"),
            OsStr::new("--listen"),
            OsStr::new(&listen),
        ];
        line.extend(no_embeddings.then_some(OsStr::new("--no-embeddings")));
        let mut shell = Command::new("sh");
        // What it prints once it is ready is for people who use it by themselves, and each request would be a line.
        shell.stdout(Stdio::null()).env(LOG_LEVEL, "warn");
        let mut up = ChildProcess::start(&mut shell, &line, IfAbandoned::ShutDown)?;
        while readiness::ask(address).await.is_err() {
            if up.has_ended()? {
                bail!("the service did not come up; see above, or name one that runs with --url");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(Self {
            address,
            authorization: None,
            up: Some(up),
        })
    }

    /// Its address, for a person.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) async fn send(&self, request: Request) -> Result<Answer> {
        let request = match &self.authorization {
            Some(authorization) => request.by(authorization),
            None => request,
        };
        request.send(self.address).await
    }

    /// The JSON that is answered to a `GET`.
    pub(super) async fn get(&self, path: &str) -> Result<Value> {
        json(path, &self.send(Request::get(path)).await?)
    }

    /// The JSON that is answered to a question.
    pub(super) async fn ask(&self, path: &str, body: &Value) -> Result<Value> {
        json(path, &self.send(Request::post(path, body)).await?)
    }

    /// Asks whether it is alive, as the kubelet would.
    pub(super) async fn probe(&self) -> Result<()> {
        Request::get("/healthz").send(self.address).await.map(drop)
    }

    /// Ends it, if it was started here.
    pub(super) fn stop(&mut self) -> Result<()> {
        let Some(up) = &mut self.up else {
            return Ok(());
        };
        say("ending the service");
        up.stop(Signal::TERM, STOP_PATIENCE)
            .context("the service did not end")
    }
}

fn json(path: &str, answer: &Answer) -> Result<Value> {
    if answer.status != 200 {
        bail!("{path} is answered {}: {}", answer.status, answer.body);
    }
    serde_json::from_str(&answer.body).with_context(|| format!("{path} is not answered with JSON"))
}
