//! Attacks. The browser is driven by `host-tests/browser/prove.js`, which says what ran or was requested.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::corpus::{self, Entry};
use crate::stored::{Members, record, store};
use crate::support::payloads::fresh;
use crate::support::service::{Service, workspace};

/// As many as are promised.
const LEAST: usize = 300;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and Node.js; cargo xtask browser runs it"]
async fn in_chromium_nothing_runs_and_nothing_is_requested() {
    let entries = storable();
    assert!(entries.len() >= LEAST, "{} attacks", entries.len());
    let service = Service::start().await;
    let texts: Vec<&str> = entries.iter().map(|entry| entry.text.as_str()).collect();
    let stored = store(&service.client, &texts).await;
    service.stop().await;
    let vectors = entries.iter().zip(stored);
    let vectors: Vec<Value> = vectors
        .map(|(entry, members)| vector(entry, members))
        .collect();
    prove(&json!(vectors));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_tag_is_text_also_where_it_looks_like_an_attack() {
    let texts: Vec<_> = storable()
        .into_iter()
        .filter(|entry| entry.is_text)
        .collect();
    let service = Service::start().await;
    let sent: Vec<&str> = texts.iter().map(|entry| entry.text.as_str()).collect();
    let stored = store(&service.client, &sent).await;
    for (entry, members) in texts.iter().zip(stored) {
        for (member, text) in members {
            assert_eq!(text, entry.text, "{}, in {member}", entry.name);
        }
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_with_a_nul_character_are_refused() {
    let all = corpus::read("attacks.txt");
    let refused: Vec<_> = all.iter().filter(|entry| has_nul(entry)).collect();
    assert!(!refused.is_empty());
    let service = Service::start().await;
    for entry in refused {
        let namespace = fresh("nul");
        let body = record(&namespace, &namespace, &entry.text);
        let answer = service.client.post("/api/v1/audit/aianalysis", &body).await;
        answer.problem(400, "validation-error");
        let (_, code) = answer.violations().remove(0);
        assert_eq!(code, "nul_character", "{}", entry.name);
    }
    service.stop().await;
}

/// What can be stored.
fn storable() -> Vec<Entry> {
    let mut entries = corpus::read("attacks.txt");
    entries.retain(|entry| !has_nul(entry));
    entries
}

fn has_nul(entry: &Entry) -> bool {
    entry.text.contains('\0')
}

/// What the script is told of an attack. Mostly all members have the same text, which it need not try twice.
fn vector(entry: &Entry, members: Members) -> Value {
    let mut by_text: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (member, text) in members {
        by_text.entry(text).or_default().push(member);
    }
    let stored: Vec<_> = by_text
        .iter()
        .map(|(text, fields)| json!({"text": text, "fields": fields}))
        .collect();
    json!({"name": entry.name, "sent": entry.text, "isText": entry.is_text, "stored": stored})
}

fn prove(vectors: &Value) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("vectors.json");
    fs::write(&file, vectors.to_string()).expect("a file");
    let script = workspace().join("host-tests/browser/prove.js");
    let browser = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    assert!(Path::new(&browser).exists(), "there is no {browser}");
    let status = Command::new("node")
        .arg(script)
        .arg(&file)
        .arg(&browser)
        .status()
        .expect("node runs");
    assert!(status.success(), "{status}; what was seen is above");
}
