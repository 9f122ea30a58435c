//! A service that asks a stand-in for the Kubernetes API server who calls.

use std::fs;
use std::path::{Path, PathBuf};

use api_server::{Account, ApiServer, Token, trusting};
use host::Options;
use serde_json::json;
use tempfile::TempDir;

use super::service::{Service, workspace};

/// The namespace that all accounts and the service are in.
pub const NAMESPACE: &str = "kubernaut-system";

/// The folder of the manifest that components see as `/run/kube`.
const CREDENTIALS: &str = "credentials";

/// The stand-in, and a folder with what a host needs to ask it.
pub struct Cluster {
    /// The stand-in.
    pub server: ApiServer,
    folder: TempDir,
}

impl Cluster {
    /// Starts one, whose credential is in the mounted file `token`.
    pub async fn start() -> Self {
        let server = ApiServer::start().await.expect("an API server");
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join(CREDENTIALS)).expect("a folder");
        let cluster = Self { server, folder };
        cluster.write("ca.crt", cluster.server.ca_pem());
        let config = trusting(&read("runtime-config.toml"), &cluster.path("ca.crt"));
        cluster.write("runtime-config.toml", &config);
        cluster.write("spin.toml", &cluster.mounting_manifest());
        cluster.mount(&cluster.server.issue_credential());
        cluster
    }

    /// A service that asks it, with these variables as well.
    pub async fn service(&self, variables: &[(&str, &str)]) -> Service {
        let own = self.variables();
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        let all: Vec<_> = own.chain(variables.iter().copied()).collect();
        Service::adjusted(&all, |options| self.adjust(options)).await
    }

    /// The variables that lead to it. Who may what is as it is by default.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("auth_mode", "tokenreview".to_owned()),
            ("kube_api_url", self.server.url()),
        ]
    }

    /// Lets a host trust it and mount the credential, with every change.
    pub fn adjust(&self, options: &mut Options) {
        options.manifest = self.path("spin.toml");
        options.components = Some(workspace().join("target/wasm32-wasip2/release"));
        options.runtime_config = Some(self.runtime_config());
        options.direct_mounts = true;
    }

    /// The runtime config of the workspace, with the stand-in's authority.
    pub fn runtime_config(&self) -> PathBuf {
        self.path("runtime-config.toml")
    }

    /// A token of the account of this name, which is good for an hour.
    pub fn token(&self, name: &str) -> Token {
        self.server.issue(&account(name))
    }

    /// Replaces the mounted credential, at once and as a whole, as the kubelet does.
    pub fn mount(&self, credential: &Token) {
        self.write("next", credential.as_str());
        let token = self.folder.path().join(CREDENTIALS).join("token");
        fs::rename(self.path("next"), token).expect("a file to replace");
    }

    /// The manifest's text, in which the credentials are those of this folder.
    fn mounting_manifest(&self) -> String {
        let source = |path: &Path| format!("source = {}", json!(path));
        let own = source(&self.folder.path().join(CREDENTIALS));
        let manifest = read("spin.toml");
        let mounted = manifest.replace(&source(Path::new(CREDENTIALS)), &own);
        assert_ne!(
            mounted, manifest,
            "spin.toml mounts no folder {CREDENTIALS}"
        );
        mounted
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }
}

/// The account of this name in [`NAMESPACE`].
pub fn account(name: &str) -> Account {
    Account::new(NAMESPACE, name)
}

/// The value of the header `Authorization` that says so.
pub fn bearer(token: &Token) -> String {
    format!("Bearer {}", token.as_str())
}

fn read(name: &str) -> String {
    let path = workspace().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
