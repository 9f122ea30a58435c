//! A server that runs the probe component, and a client for it.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use host::{Captured, GuestOutput, Options, Span};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use patience::within;
use tempfile::TempDir;

use crate::process::Environment;
use crate::server::Server;

/// The manifest of the probe, with its component where cargo puts it.
pub(crate) fn manifest() -> String {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/probe/spin.toml");
    let text = std::fs::read_to_string(manifest).unwrap();
    let target = target_dir();
    let component = target.join("wasm32-wasip2/release/probe.wasm");
    assert!(
        component.is_file(),
        "{} is missing: run `cargo xtask test`, which builds it",
        component.display()
    );
    text.replace("../../../target", target.to_str().unwrap())
}

fn target_dir() -> PathBuf {
    let folder = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    std::path::absolute(folder).unwrap()
}

/// A host to be, in a folder of its own.
pub(crate) struct Setup {
    pub(crate) options: Options,
    pub(crate) folder: TempDir,
    output: Captured,
}

impl Setup {
    /// The probe with all defaults.
    pub(crate) fn new() -> Self {
        Self::with_manifest(&manifest())
    }

    /// Another application.
    pub(crate) fn with_manifest(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("spin.toml");
        std::fs::write(&manifest, text).unwrap();
        let mut options = Options::new(manifest);
        let output = Captured::default();
        options.output = GuestOutput::Capture(output.clone());
        Self {
            options,
            folder,
            output,
        }
    }

    /// The same, whose instances wait for the next request as long as it takes.
    pub(crate) fn with_lasting_instances() -> Self {
        Self::new().lasting_instances()
    }

    /// Lets instances wait for the next request as long as it takes.
    pub(crate) fn lasting_instances(mut self) -> Self {
        self.options.reuse.idle_timeout = Span::One(Duration::from_mins(10));
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: &impl ToString) -> Self {
        self.options
            .variables
            .insert(name.to_owned(), value.to_string());
        self
    }

    pub(crate) fn runtime_config(mut self, text: &str) -> Self {
        let path = self.folder.path().join("runtime-config.toml");
        std::fs::write(&path, text).unwrap();
        self.options.runtime_config = Some(path);
        self
    }

    /// The application on the server under test.
    pub(crate) async fn start(self) -> Probe {
        let server = Server::start(self.options.clone()).await.unwrap();
        self.on(server)
    }

    /// The application on the native host, for what only that does.
    pub(crate) async fn start_natively(self) -> Probe {
        let server = Server::native(self.options.clone()).await.unwrap();
        self.on(server)
    }

    /// The application on the server under test, in a process of its own.
    pub(crate) fn start_process(self, environment: &Environment) -> Probe {
        let server = Server::process(&self.options, environment).unwrap();
        self.on(server)
    }

    fn on(self, server: Server) -> Probe {
        Probe {
            base: format!("http://{}", server.addr()),
            server,
            client: Client::builder(TokioExecutor::new()).build_http(),
            output: self.output,
            _folder: self.folder,
        }
    }

    /// Why the server under test does not start.
    pub(crate) async fn failure(self) -> String {
        because(Server::start(self.options).await)
    }

    /// Why the native host does not start, in its own words.
    pub(crate) async fn native_failure(self) -> String {
        because(Server::native(self.options).await)
    }
}

fn because(started: anyhow::Result<Server>) -> String {
    match started {
        Ok(_) => panic!("the server started"),
        Err(error) => format!("{error:#}"),
    }
}

/// A running server.
pub(crate) struct Probe {
    base: String,
    server: Server,
    client: Client<HttpConnector, Full<Bytes>>,
    pub(crate) output: Captured,
    _folder: TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    /// The body of an answer that must be 200.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.body
    }

    /// The error that the component reports.
    #[track_caller]
    pub(crate) fn error(self) -> String {
        assert_eq!(self.status, 502, "{self:?}");
        self.body
    }
}

impl Probe {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(format!("{}{path}", self.base)), "")
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(Request::post(format!("{}{path}", self.base)), body)
            .await
    }

    /// Sends a GET with more headers.
    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.try_get_with(path, headers).await.unwrap()
    }

    /// The same, when the connection may be closed without an answer.
    pub(crate) async fn try_get_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Error> {
        let mut request = Request::get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.try_send(request, "").await
    }

    async fn send(&self, request: http::request::Builder, body: &str) -> Answer {
        self.try_send(request, body).await.unwrap()
    }

    async fn try_send(&self, request: http::request::Builder, body: &str) -> Result<Answer, Error> {
        let body = Full::from(body.to_owned());
        let request = request.body(body).unwrap();
        let exchange = async {
            let (head, body) = self.client.request(request).await?.into_parts();
            Ok((head, body.collect().await.unwrap().to_bytes()))
        };
        let (head, body) = within("an answer", exchange).await?;
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.addr().port()
    }

    pub(crate) fn routes(&self) -> &str {
        self.server.routes()
    }

    /// Whether nothing was cut off.
    pub(crate) async fn stop(self) -> bool {
        self.server.stop().await
    }
}
