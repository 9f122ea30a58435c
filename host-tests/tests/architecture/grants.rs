//! Each component is granted the variables that it reads, and no others.
//!
//! What it reads it tells itself. A component reads all of its variables before it says that some are unusable, and it names
//! each in its log; so a host that grants none hears about every one. Some are read only if another one has a certain value:
//! those values are granted, one after the other. Reading the sources instead would have to follow names through constants and
//! crates, and would see what the compiler left out.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use host::{Captured, GuestOutput, Options};
use patience::within;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use toml::Table;

use crate::{COMPONENTS, workspace};

/// The values that lead to further variables. One that is not granted leads where an empty one does.
const DECISIONS: [&[(&str, &str)]; 3] = [
    &[],
    &[("auth_mode", "tokenreview")],
    &[("auth_mode", "tokenreview"), ("authorization", "sar")],
];

/// What must not be known where it is not used.
const SECRETS: [&str; 6] = [
    "db_password",
    "vector_db_password",
    "embedding_api_key",
    "kube_token",
    "chain_key",
    "export_key",
];

#[tokio::test(flavor = "multi_thread")]
async fn components_are_granted_what_they_read() {
    let manifest = manifest();
    let mut used = BTreeSet::new();
    for component in COMPONENTS {
        let granted = granted(&manifest, component);
        let mut read = BTreeSet::new();
        for decision in DECISIONS {
            read.extend(missed(&manifest, component, decision).await);
        }
        let unread: Vec<_> = granted.difference(&read).collect();
        assert!(
            unread.is_empty(),
            "{component} is granted variables that it does not read: {unread:?}"
        );
        let ungranted: Vec<_> = read.difference(&granted).collect();
        assert!(
            ungranted.is_empty(),
            "{component} reads variables that it is not granted: {ungranted:?}"
        );
        used.extend(read);
    }
    for secret in SECRETS {
        assert!(used.contains(secret), "nothing reads {secret}");
    }
}

#[test]
fn secrets_go_by_their_own_names_only() {
    let manifest = manifest();
    let variables = manifest["variables"].as_table().expect("variables");
    let secrets: BTreeSet<_> = variables
        .iter()
        .filter(|(_, variable)| variable.get("secret").and_then(toml::Value::as_bool) == Some(true))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(secrets, BTreeSet::from(SECRETS));
    for component in COMPONENTS {
        let mut entry = manifest["component"][component].clone();
        let entry = entry.as_table_mut().expect("a component");
        for (name, value) in entry["variables"].as_table().expect("variables") {
            let own = format!("{{{{ {name} }}}}");
            assert_eq!(value.as_str(), Some(own.as_str()), "{component}: {name}");
        }
        entry.remove("variables");
        let rest = entry.to_string();
        for secret in SECRETS {
            assert!(!rest.contains(secret), "{component} has {secret} elsewhere");
        }
    }
}

fn manifest() -> Table {
    let text = fs::read_to_string(workspace().join("spin.toml")).expect("spin.toml");
    text.parse().expect("TOML")
}

fn granted(manifest: &Table, component: &str) -> BTreeSet<String> {
    let variables = manifest["component"][component]["variables"].as_table();
    variables.expect("variables").keys().cloned().collect()
}

/// The variables that a component misses if it is granted these only.
async fn missed(manifest: &Table, component: &str, granted: &[(&str, &str)]) -> BTreeSet<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = Captured::default();
    let mut options = Options::new(alone(manifest, component, granted, &folder));
    options.components = Some(workspace().join("target/wasm32-wasip2/release"));
    options.runtime_config = Some(workspace().join("runtime-config.toml"));
    options.output = GuestOutput::Capture(log.clone());
    let values = granted.iter();
    let values = values.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    options.variables = values.collect();
    let running = host::start(options).await.expect("the native host starts");
    let mut stream = TcpStream::connect(running.addr()).await.expect("a server");
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.expect("a request");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    within("an answer", read).await.expect("an answer");
    running.stop().await;

    let text = log.text();
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let missed: BTreeSet<_> = lines.filter_map(|line: Value| missing(&line)).collect();
    assert!(!missed.is_empty(), "{component} misses nothing: {text}");
    missed
}

/// The variable that a line of the log says is not set.
fn missing(line: &Value) -> Option<String> {
    let reason = line["reason"].as_str()?.strip_prefix("variable ")?;
    Some(reason.strip_suffix(" is not set")?.to_owned())
}

/// A manifest in which a component is alone, has every path, and is granted these variables only; its file.
fn alone(manifest: &Table, component: &str, granted: &[(&str, &str)], folder: &TempDir) -> PathBuf {
    let mut entry = manifest["component"][component].clone();
    let members = entry.as_table_mut().expect("a component");
    members.remove("files");
    let variables = granted.iter().map(|(name, _)| {
        let template = format!("{{{{ {name} }}}}");
        ((*name).to_owned(), template.into())
    });
    members.insert("variables".into(), variables.collect::<Table>().into());
    let mut alone = manifest.clone();
    alone.insert(
        "component".into(),
        Table::from_iter([(component.to_owned(), entry)]).into(),
    );
    let trigger = format!("[[http]]\nroute = \"/...\"\ncomponent = \"{component}\"");
    let trigger: Table = trigger.parse().expect("TOML");
    alone.insert("trigger".into(), trigger.into());
    let file = folder.path().join("spin.toml");
    fs::write(&file, alone.to_string()).expect("a manifest");
    file
}
