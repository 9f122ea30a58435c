//! What access control costs: the service with identities, permissions and a rate limit that nobody reaches, beside the
//! service without, in turns.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result};
use api_server::{Account, ApiServer, trusting};
use serde_json::json;
use tempfile::TempDir;

use super::extras::USUAL;
use super::instances::Place;
use super::measure::{Load, Outcome, measure};
use super::operation::{Ask, Operation};
use super::servers::{Running, Start, Subject};
use super::{seed, table};

/// What the cost is measured of.
pub(crate) const OPERATIONS: [Operation; 2] = [Operation::WriteSingle, Operation::GetById];

/// Requests per second that no load here reaches.
const RATE_LIMIT: &str = "100000";

/// Outcomes without and with access control.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    pub(crate) off: Vec<Outcome>,
    pub(crate) on: Vec<Outcome>,
}

/// The service with access control, and what it needs.
struct Guarded {
    server: Running,
    /// What a request must have: the permitted account's token.
    header: Arc<str>,
    _api_server: ApiServer,
    _folder: TempDir,
}

impl Place<'_> {
    /// Measures each operation so many times without and with access control.
    pub(crate) async fn access_control(&self, runs: usize) -> Result<BTreeMap<&'static str, Cost>> {
        let off = Start::usual(self.checkout, self.url)
            .run(Subject::Service)
            .await?;
        let on = self.guarded().await?;
        let mut all = BTreeMap::new();
        for operation in OPERATIONS {
            let mut cost = Cost::default();
            for _ in 0..runs {
                cost.off.push(self.loaded(&off, operation, None).await?);
                let header = Some(Arc::clone(&on.header));
                cost.on
                    .push(self.loaded(&on.server, operation, header).await?);
            }
            all.insert(operation.key(), cost);
        }
        Ok(all)
    }

    async fn guarded(&self) -> Result<Guarded> {
        let api_server = ApiServer::start().await?;
        let folder = tempfile::tempdir()?;
        let authority = folder.path().join("ca.crt");
        fs::write(&authority, api_server.ca_pem())?;
        let usual = fs::read_to_string(self.checkout.folder.join("runtime-config.toml"))?;
        let config = folder.path().join("runtime-config.toml");
        fs::write(&config, trusting(&usual, &authority))?;
        let account = Account::new("kubernaut-system", "bench");
        let permissions = json!({account.user(): ["write:remediation", "read"]});
        let variables = [
            ("auth_mode", "tokenreview".to_owned()),
            ("kube_api_url", api_server.url()),
            (
                "kube_token",
                api_server.issue_credential().as_str().to_owned(),
            ),
            ("permissions", permissions.to_string()),
            ("rate_limit_rps", RATE_LIMIT.to_owned()),
            ("rate_limit_burst", RATE_LIMIT.to_owned()),
        ];
        let start = Start {
            runtime_config: &config,
            variables: &variables,
            ..Start::usual(self.checkout, self.url)
        };
        Ok(Guarded {
            server: start.run(Subject::Service).await?,
            header: format!(
                "authorization: Bearer {}\r\n",
                api_server.issue(&account).as_str()
            )
            .into(),
            _api_server: api_server,
            _folder: folder,
        })
    }

    async fn loaded(
        &self,
        server: &Running,
        operation: Operation,
        header: Option<Arc<str>>,
    ) -> Result<Outcome> {
        let outcome = measure(Load {
            ask: Ask::Store(operation),
            connections: USUAL,
            header,
            ..self.load(server)
        });
        let outcome = outcome.await.with_context(|| server.last_lines())?;
        table::progress(Subject::Service, operation, USUAL, &outcome);
        Ok(outcome)
    }

    /// One connection that asks for nothing, as fast as it gets answers.
    pub(crate) fn load(&self, server: &Running) -> Load {
        Load {
            address: server.address,
            ask: Ask::Store(Operation::Health),
            connections: 1,
            pause: std::time::Duration::ZERO,
            header: None,
            samples: Arc::clone(self.samples),
            seed: seed(),
            warm_up: self.duration / 5,
            duration: self.duration,
            server: server.process,
            database: self.database,
        }
    }
}
