//! A stand-in for the Kubernetes API server, and what makes the application ask it who calls: for `up --auth`, `drill` and
//! `soak`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use database::{ChildProcess, IfAbandoned};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::cargo;
use crate::progress::say;

/// The package of the stand-in, and its program.
pub(crate) const PACKAGE: &str = "api-server";

const NAMESPACE: &str = "kubernaut-system";

/// The accounts in that namespace, and what each may do.
const ACCOUNTS: [(&str, &[&str]); 5] = [
    (WRITER, &["write:remediation"]),
    (
        AUTHOR,
        &[
            "write:remediation",
            "write:aianalysis",
            "write:workflow",
            "write:execution",
            "write:events",
        ],
    ),
    (READER, &["read"]),
    (ADMIN, &["admin", "read"]),
    (STRANGER, &[]),
];
/// Who may write remediations.
pub(crate) const WRITER: &str = "gateway-sa";
/// Who may write records of all kinds, and events.
pub(crate) const AUTHOR: &str = "platform-author";
/// Who may read.
pub(crate) const READER: &str = "context-api-sa";
/// Who may hide records.
pub(crate) const ADMIN: &str = "platform-admin";
/// Whom nobody permitted anything.
pub(crate) const STRANGER: &str = "stranger";

/// The components that ask the stand-in, or report whether it can be asked.
const ASKING: [&str; 5] = ["write", "query", "search", "events", "health"];

/// The name of the host's configuration, in the repository and in the folder.
pub(crate) const RUNTIME_CONFIG: &str = "runtime-config.toml";

/// How long the stand-in may take to listen, which is a moment.
const PATIENCE: Duration = Duration::from_secs(30);

/// The running stand-in, and a folder with what it takes to use it. Both are gone when this value is dropped.
pub(crate) struct Auth {
    // Ends before its folder is removed.
    process: ChildProcess,
    folder: Folder,
    url: String,
    /// The application's own credential.
    credential: String,
}

impl Auth {
    /// Starts `program`, the stand-in, and writes the files that the host and people use.
    pub(crate) async fn start(program: &Path) -> Result<Self> {
        say("starting the stand-in for the Kubernetes API server");
        let folder = Folder::create()?;
        let mut process = run(program, &folder.0)?;
        let output = process.take_output().context("its output cannot be read")?;
        let said = tokio::time::timeout(PATIENCE, describe(output));
        let said = said
            .await
            .context("the stand-in for the Kubernetes API server does not listen")??;
        let text = |member: &str| {
            let text = said[member].as_str().map(str::to_owned);
            text.with_context(|| format!("the stand-in did not say its {member}"))
        };
        folder.write(RUNTIME_CONFIG, &runtime_config(&text("ca_file")?)?)?;
        for (name, _) in ACCOUNTS {
            let token = said["tokens"][user(name)].as_str();
            let token = token.with_context(|| format!("the stand-in has no token of {name}"))?;
            folder.write(name, &format!("authorization: Bearer {token}\n"))?;
        }
        let credential = read(Path::new(&text("token_file")?))?;
        Ok(Self {
            process,
            url: text("url")?,
            folder,
            credential,
        })
    }

    /// The environment that makes the components ask it. The credential goes this way, because the folder that would be
    /// mounted belongs to the checkout.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SPIN_VARIABLE_AUTH_MODE", "tokenreview".to_owned()),
            ("SPIN_VARIABLE_KUBE_API_URL", self.url.clone()),
            ("SPIN_VARIABLE_KUBE_TOKEN", self.credential.clone()),
            ("SPIN_VARIABLE_PERMISSIONS", permissions()),
        ]
    }

    /// The runtime config that makes the components trust it.
    pub(crate) fn runtime_config(&self) -> PathBuf {
        self.folder.0.join(RUNTIME_CONFIG)
    }

    /// The option of curl that sends the token of this account.
    pub(crate) fn header(&self, account: &str) -> String {
        format!("-H @{}", self.folder.0.join(account).display())
    }

    /// The value of the header `Authorization` with the token of this account.
    pub(crate) fn authorization(&self, account: &str) -> Result<String> {
        let line = read(&self.folder.0.join(account))?;
        let value = line.trim().strip_prefix("authorization: ");
        Ok(value
            .context("the account's file has no header")?
            .to_owned())
    }

    /// Of the stand-in.
    pub(crate) fn pid(&self) -> Pid {
        self.process.pid()
    }

    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        self.process.has_ended()
    }

    pub(crate) fn stop(&mut self) -> Result<()> {
        self.process
            .stop(Signal::TERM, Duration::from_secs(15))
            .context("the stand-in for the Kubernetes API server did not stop")
    }
}

/// A temporary folder that nobody else can look into, because tokens are in it.
struct Folder(PathBuf);

impl Folder {
    fn create() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("audit-store-{}", std::process::id()));
        let created = DirBuilder::new().mode(0o700).create(&path);
        created.with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.0.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is of no use: the tokens are of a server that has ended.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(program: &Path, folder: &Path) -> Result<ChildProcess> {
    let accounts = ACCOUNTS.map(|(name, _)| format!("{NAMESPACE}:{name}"));
    let mut line = vec![program.as_os_str(), folder.as_os_str()];
    for account in &accounts {
        line.extend([OsStr::new("--account"), OsStr::new(account)]);
    }
    let mut shell = Command::new("sh");
    shell.current_dir(cargo::workspace()).stdout(Stdio::piped());
    ChildProcess::start(&mut shell, &line, IfAbandoned::Remove(folder))
}

/// What the stand-in says in its first line, which is when it listens.
async fn describe(output: ChildStdout) -> Result<Value> {
    let line = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).map(|_| line)
    });
    serde_json::from_str(&line.await??)
        .context("the stand-in for the Kubernetes API server ended before it listened; see above")
}

/// The runtime config of the repository, and the certificate that the asking components trust beside it.
fn runtime_config(ca_file: &str) -> Result<String> {
    let text = read(&cargo::workspace().join(RUNTIME_CONFIG))?;
    // Texts and lists of texts are written alike in TOML and in JSON.
    Ok(format!(
        "{text}\n[[client_tls]]\ncomponent_ids = {}\nhosts = [\"localhost\"]\nca_roots_file = {}\n",
        json!(ASKING),
        json!(ca_file)
    ))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Who may do what, for the variable of this name.
fn permissions() -> String {
    let permitted = ACCOUNTS.iter().filter(|(_, may)| !may.is_empty());
    let permissions: BTreeMap<_, _> = permitted.map(|(name, may)| (user(name), may)).collect();
    json!(permissions).to_string()
}

/// The full name of an account.
fn user(name: &str) -> String {
    format!("system:serviceaccount:{NAMESPACE}:{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_but_the_stranger_is_permitted_something() {
        let permissions: Value = serde_json::from_str(&permissions()).unwrap();
        let expected = json!({
            "system:serviceaccount:kubernaut-system:gateway-sa": ["write:remediation"],
            "system:serviceaccount:kubernaut-system:platform-author":
                ["write:remediation", "write:aianalysis", "write:workflow", "write:execution", "write:events"],
            "system:serviceaccount:kubernaut-system:context-api-sa": ["read"],
            "system:serviceaccount:kubernaut-system:platform-admin": ["admin", "read"],
        });
        assert_eq!(permissions, expected);
    }

    #[test]
    fn the_runtime_config_of_the_repository_is_extended() {
        let text = runtime_config("/tmp/a \"b\"/ca.crt").unwrap();
        let own = fs::read_to_string(cargo::workspace().join(RUNTIME_CONFIG)).unwrap();
        let added = text.strip_prefix(&own).unwrap();
        assert_eq!(
            added,
            "\n[[client_tls]]\ncomponent_ids = [\"write\",\"query\",\"search\",\"events\",\"health\"]\nhosts = [\"localhost\"]\n\
             ca_roots_file = \"/tmp/a \\\"b\\\"/ca.crt\"\n"
        );
    }

    #[test]
    fn the_folder_is_private_and_goes_with_its_value() {
        use std::os::unix::fs::PermissionsExt;

        let folder = Folder::create().unwrap();
        let path = folder.0.clone();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(folder);
        assert!(!path.exists());
    }
}
