//! The service under test: one that runs already, or the native host with the real components on a
//! database of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use database::TestDatabase;
use host::{Captured, GuestOutput, Options, ReuseLimits, Running};
use tempfile::TempDir;
use url::Url;

use super::Client;
use super::provider::{MODEL, Provider};

/// A native host of a test's own, with a database of its own.
pub struct Service {
    /// Talks to it.
    pub client: Client,
    /// Its database.
    pub database: TestDatabase,
    /// The host.
    pub host: Host,
}

impl Service {
    /// Starts one.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts one with these variables beside those of the database.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        Self::with_limits(variables, ReuseLimits::default()).await
    }

    /// The same, whose instances are used within `limits`.
    pub async fn with_limits(variables: &[(&str, &str)], limits: ReuseLimits) -> Self {
        Self::adjusted(variables, |options| options.reuse = limits).await
    }

    /// The same, on a host whose options are changed by `adjust`.
    pub async fn adjusted(variables: &[(&str, &str)], adjust: impl FnOnce(&mut Options)) -> Self {
        let database = TestDatabase::create().await;
        let mut all = of_database(database.url());
        for (name, value) in variables {
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        let host = Host::adjusted(all, adjust).await;
        Self {
            client: host.client(),
            database,
            host,
        }
    }

    /// Stops the host; the database goes with this value.
    pub async fn stop(self) {
        self.host.stop().await;
    }
}

/// A native host that runs the workspace's `spin.toml`, with a folder of its own for what it keeps.
pub struct Host {
    running: Running,
    log: Captured,
    state: TempDir,
}

impl Host {
    /// Starts one with these variables, whose instances are used within `limits`.
    pub async fn start(variables: BTreeMap<String, String>, limits: ReuseLimits) -> Self {
        Self::adjusted(variables, |options| options.reuse = limits).await
    }

    /// Starts one with these variables, whose options are changed by `adjust`.
    pub async fn adjusted(
        variables: BTreeMap<String, String>,
        adjust: impl FnOnce(&mut Options),
    ) -> Self {
        let state = tempfile::tempdir().expect("a temporary folder");
        let log = Captured::default();
        let mut options = Options::new(workspace().join("spin.toml"));
        options.variables = patient(variables);
        options.runtime_config = Some(workspace().join("runtime-config.toml"));
        options.state_dir = Some(state.path().to_owned());
        options.output = GuestOutput::Capture(log.clone());
        adjust(&mut options);
        let running = host::start(options).await.expect("the native host starts");
        Self {
            running,
            log,
            state,
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.running.addr()
    }

    /// Talks to it.
    pub fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.addr()))
    }

    /// What the components have logged so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// The `SQLite` file of the key-value store; made at the first use.
    pub fn key_value_file(&self) -> PathBuf {
        self.state.path().join("sqlite_key_value.db")
    }

    /// Stops it, and waits for the work behind its responses.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// The address of the service that all tests of this process share: `BLACKBOX_URL` if it is set,
/// else a native host with an embedding provider.
pub fn shared() -> &'static str {
    static SHARED: OnceLock<String> = OnceLock::new();
    SHARED.get_or_init(|| match std::env::var("BLACKBOX_URL") {
        Ok(url) if !url.is_empty() => url,
        _ => start_shared(),
    })
}

/// On a thread of its own, because each test has a runtime that ends with it.
fn start_shared() -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let provider = Provider::start().await;
            let service = Service::with(&embedded_by(&provider.url())).await;
            sender
                .send(service.client.base().to_owned())
                .expect("a test that waits");
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().expect("the shared service did not start")
}

/// A host with these variables, for tests that bring their own database.
pub async fn start_host(variables: BTreeMap<String, String>) -> Host {
    Host::start(variables, ReuseLimits::default()).await
}

/// The same variables, and a minute for each statement unless they say otherwise: a slow machine must not fail a test.
pub fn patient(mut variables: BTreeMap<String, String>) -> BTreeMap<String, String> {
    for name in ["query_timeout", "write_timeout"] {
        variables
            .entry(name.to_owned())
            .or_insert_with(|| "1m".to_owned());
    }
    variables
}

/// The variables that lead to the embedding provider at `url`, which has a minute for each request:
/// a slow machine must not fail a test.
pub fn embedded_by(url: &str) -> [(&str, &str); 4] {
    [
        ("embedding_enabled", "true"),
        ("embedding_url", url),
        ("embedding_model", MODEL),
        ("embedding_timeout", "1m"),
    ]
}

/// The variables that lead to the vector database at `url`; another one says whether it is used.
pub fn of_vector_database(url: &str) -> BTreeMap<String, String> {
    let own = of_database(url).into_iter();
    own.map(|(name, value)| (format!("vector_{name}"), value))
        .collect()
}

/// The variables that lead to the database at `url`.
pub fn of_database(url: &str) -> BTreeMap<String, String> {
    let url = Url::parse(url).expect("a database URL");
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .expect("UTF-8")
            .into_owned()
    };
    let port = url.port().unwrap_or(5432).to_string();
    [
        ("db_host", url.host_str().unwrap_or("127.0.0.1").to_owned()),
        ("db_port", port),
        ("db_user", decode(url.username())),
        ("db_password", decode(url.password().unwrap_or_default())),
        ("db_name", decode(url.path().trim_start_matches('/'))),
        ("db_ssl_mode", "disable".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("a workspace").to_owned()
}
