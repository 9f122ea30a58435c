//! The service under test: one that runs already, or the native host with the real components on a
//! database of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use database::TestDatabase;
use host::{GuestOutput, Options, Running};
use url::Url;

use super::Client;

/// A native host of a test's own, with a database of its own.
pub struct Service {
    /// Talks to it.
    pub client: Client,
    /// Its database.
    pub database: TestDatabase,
    host: Running,
}

impl Service {
    /// Starts one.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts one with these variables beside those of the database.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        let database = TestDatabase::create().await;
        let mut all = of_database(database.url());
        for (name, value) in variables {
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        let host = start_host(all).await;
        Self {
            client: Client::new(&format!("http://{}", host.addr())),
            database,
            host,
        }
    }

    /// Stops the host; the database goes with this value.
    pub async fn stop(self) {
        self.host.stop().await;
    }
}

/// The address of the service that all tests of this process share: `BLACKBOX_URL` if it is set,
/// else a native host.
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
            let service = Service::start().await;
            sender
                .send(service.client.base().to_owned())
                .expect("a test that waits");
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().expect("the shared service did not start")
}

/// A native host that runs the workspace's `spin.toml`.
pub async fn start_host(variables: BTreeMap<String, String>) -> Running {
    let mut options = Options::new(workspace().join("spin.toml"));
    options.variables = variables;
    options.runtime_config = Some(workspace().join("runtime-config.toml"));
    options.output = GuestOutput::Discard;
    host::start(options).await.expect("the native host starts")
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
