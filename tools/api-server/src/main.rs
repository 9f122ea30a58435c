//! A stand-in for the Kubernetes API server, for development.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use api_server::{Account, ApiServer};
use clap::Parser;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

/// How long its tokens are good for: they are not renewed while somebody develops.
const LIFETIME: Duration = Duration::from_hours(365 * 24);

/// A stand-in for the Kubernetes API server: says who calls, for development
///
/// Prints one line of JSON once it listens: its address, the two files, and the token of each account.
#[derive(Parser)]
struct Arguments {
    /// Where to put the certificate of its authority (ca.crt) and the credential that it takes (token)
    folder: PathBuf,
    /// A service account to make a token for
    #[arg(
        long = "account",
        value_name = "NAMESPACE:NAME",
        value_parser = account,
        default_values = ["kubernaut-system:gateway-sa", "kubernaut-system:context-api-sa"]
    )]
    accounts: Vec<Account>,
}

fn account(argument: &str) -> Result<Account, &'static str> {
    let (namespace, name) = argument.split_once(':').ok_or("not NAMESPACE:NAME")?;
    Ok(Account {
        expires: Some(SystemTime::now() + LIFETIME),
        ..Account::new(namespace, name)
    })
}

/// What a program needs to know to use it.
#[derive(Serialize)]
struct Description<'a> {
    url: String,
    ca_file: &'a Path,
    token_file: &'a Path,
    /// By full name.
    tokens: BTreeMap<String, String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let server = ApiServer::start().await?;

    let folder = std::path::absolute(&arguments.folder)?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (ca_file, token_file) = (folder.join("ca.crt"), folder.join("token"));
    write(&ca_file, server.ca_pem())?;
    write(&token_file, server.issue_credential().as_str())?;
    let tokens = arguments.accounts.iter().map(|account| {
        let token = server.issue(account);
        (account.user(), token.as_str().to_owned())
    });
    let description = Description {
        url: server.url(),
        ca_file: &ca_file,
        token_file: &token_file,
        tokens: tokens.collect(),
    };
    let mut output = std::io::stdout();
    writeln!(output, "{}", serde_json::to_string(&description)?)?;
    output.flush()?;

    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Writes a file that only this user can read, in place of what is there.
fn write(path: &Path, text: &str) -> Result<()> {
    let written = || {
        if path.exists() {
            fs::remove_file(path)?;
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}
