//! A host that runs the probe component, and a client for it.

use std::env;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use host::{Captured, GuestOutput, Options, Running};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;

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

    pub(crate) async fn start(self) -> Probe {
        let running = host::start(self.options).await.unwrap();
        Probe {
            base: format!("http://{}", running.addr()),
            running,
            client: Client::builder(TokioExecutor::new()).build_http(),
            output: self.output,
            _folder: self.folder,
        }
    }

    /// Why the host does not start.
    pub(crate) async fn failure(self) -> String {
        match host::start(self.options).await {
            Ok(_) => panic!("the host started"),
            Err(error) => format!("{error:#}"),
        }
    }
}

/// A running host.
pub(crate) struct Probe {
    base: String,
    running: Running,
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
        let mut request = Request::get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request, "").await
    }

    async fn send(&self, request: http::request::Builder, body: &str) -> Answer {
        let body = Full::from(body.to_owned());
        let request = request.body(body).unwrap();
        assert!(matches!(*request.method(), Method::GET | Method::POST));
        let (head, body) = self.client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.running.addr().port()
    }

    pub(crate) fn routes(&self) -> &str {
        self.running.routes()
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}
