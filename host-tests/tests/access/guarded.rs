//! A service that asks who calls, and looks into what it remembers.

use std::fs;
use std::path::PathBuf;

use api_server::{Account, Token};
use host::ReuseLimits;
use http::Method;
use patience::{until, until_found};
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::api_server::{Cluster, account};
use crate::support::service::Service;
use crate::support::{Answer, Client};

/// What whoever may read can ask for, and who may not cannot.
pub(crate) const READ: &str = "/api/v1/query/remediation?limit=1";

/// A service whose callers are asked about, in which nobody asks too often, and its stand-in for the API server.
pub(crate) struct Guarded {
    pub(crate) cluster: Cluster,
    pub(crate) service: Service,
    /// Talks to the service without a token.
    pub(crate) stranger: Client,
    folder: TempDir,
}

impl Guarded {
    /// Starts one, in which accounts have these permissions.
    pub(crate) async fn start(permissions: &[(&str, &[&str])]) -> Self {
        let permissions = table(permissions);
        Self::with(&[("permissions", &permissions)]).await
    }

    /// Starts one with these variables.
    pub(crate) async fn with(variables: &[(&str, &str)]) -> Self {
        Self::with_limits(variables, ReuseLimits::default()).await
    }

    /// The same, whose instances are used within `limits`. What the service remembers of callers is in a file.
    pub(crate) async fn with_limits(variables: &[(&str, &str)], limits: ReuseLimits) -> Self {
        Self::before(Cluster::start().await, variables, limits).await
    }

    /// The same, with the application's credential in a variable, and none in a file.
    pub(crate) async fn with_credential_variable(variables: &[(&str, &str)]) -> Self {
        let cluster = Cluster::start().await;
        let credential = cluster.server.issue_credential();
        let own = [("kube_token_path", ""), ("kube_token", credential.as_str())];
        let all = [&own, variables].concat();
        Self::before(cluster, &all, ReuseLimits::default()).await
    }

    async fn before(cluster: Cluster, variables: &[(&str, &str)], limits: ReuseLimits) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = folder.path().join("runtime-config.toml");
        fs::write(&config, remembering_config(&cluster)).expect("a file");

        let own = cluster.variables();
        let mut all: Vec<_> = own
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        all.push(("rate_limit_rps", "0"));
        all.extend(variables);
        let service = Service::adjusted(&all, |options| {
            cluster.adjust(options);
            options.runtime_config = Some(config);
            options.reuse = limits;
        })
        .await;
        Self {
            stranger: service.client.clone(),
            cluster,
            service,
            folder,
        }
    }

    /// Talks to the service as the account of this name, with a new token.
    pub(crate) fn caller(&self, name: &str) -> Client {
        self.stranger.with_token(self.cluster.token(name))
    }

    /// A token that the service knows from now on: in all of its instances.
    pub(crate) async fn known(&self, name: &str) -> Token {
        let token = self.cluster.token(name);
        let answer = self.stranger.with_token(&token).get(READ).await;
        assert!([200, 403].contains(&answer.status.as_u16()), "{answer:?}");
        // Behind the answer.
        until("the identity is kept", async || {
            self.remembered(name).is_some()
        })
        .await;
        token
    }

    /// What the store says about the account of this name.
    pub(crate) fn remembered(&self, name: &str) -> Option<Value> {
        let entries = self.entries()?;
        entries.iter().find_map(|(_, value)| about(name, value))
    }

    /// Waits until the store says that the account of this name may use a verb.
    pub(crate) async fn until_permitted(&self, name: &str, verb: &str) {
        until("a permission is kept", async || {
            let entries = self.entries().unwrap_or_default();
            let mut tokens = entries
                .iter()
                .filter(|(_, value)| about(name, value).is_some());
            tokens.any(|(token, _)| {
                let permission = format!("{token}:{verb}");
                entries.iter().any(|(key, _)| *key == permission)
            })
        })
        .await;
    }

    /// The keys and values of the store; nothing while nobody has used it.
    fn entries(&self) -> Option<Vec<(String, Vec<u8>)>> {
        let store = self.store()?;
        let sql = "SELECT key, value FROM spin_key_value WHERE store = 'identities'";
        let mut statement = store.prepare(sql).ok()?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.ok()?.collect::<Result<_, _>>().ok()
    }

    /// Changes the store.
    pub(crate) async fn change_store(&self, sql: &str) {
        until_found("a store that can be changed", async || {
            self.store()?.execute(sql, []).ok()
        })
        .await;
    }

    fn store(&self) -> Option<Connection> {
        let file = self.store_file();
        file.exists().then(|| Connection::open(file).ok())?
    }

    /// Where it is.
    pub(crate) fn store_file(&self) -> PathBuf {
        self.folder.path().join("identities.db")
    }

    /// The line of the log about the request of this id.
    pub(crate) async fn logged(&self, request_id: &str) -> Value {
        // Behind the answer.
        until_found("the request is logged", async || {
            let log = self.service.host.log();
            let lines = log.lines();
            let mut lines = lines.filter_map(|line| serde_json::from_str(line).ok());
            lines.find(|line: &Value| line["msg"] == "request" && line["request_id"] == request_id)
        })
        .await
    }

    pub(crate) async fn stop(self) {
        self.service.stop().await;
    }
}

/// An entry of the store, if it is about the account of this name.
fn about(name: &str, entry: &[u8]) -> Option<Value> {
    let entry: Value = serde_json::from_slice(entry).ok()?;
    (entry["value"]["username"] == account(name).user()).then_some(entry)
}

/// The variable `permissions`, in which accounts have these.
pub(crate) fn table(permissions: &[(&str, &[&str])]) -> String {
    let rows = permissions
        .iter()
        .map(|(name, permissions)| (account(name).user(), json!(permissions)));
    Value::Object(rows.collect()).to_string()
}

/// An account of this name in another namespace.
pub(crate) fn elsewhere(name: &str) -> Account {
    Account::new("default", name)
}

/// `GET` with these headers.
pub(crate) async fn get_with(client: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    client.send(Method::GET, path, headers, "").await
}

/// The stand-in's runtime config, in which the store of identities has a file beside it.
fn remembering_config(cluster: &Cluster) -> String {
    const STORE: &str = "[key_value_store.identities]\ntype = \"spin\"\n";
    let config = fs::read_to_string(cluster.runtime_config()).expect("a runtime config");
    let changed = config.replace(STORE, &format!("{STORE}path = \"identities.db\"\n"));
    assert_ne!(changed, config, "there is no store {STORE}");
    changed
}
