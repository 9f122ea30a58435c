//! Logs, code, manifests, statements, commands: what operations are about, with `<`, `>` and `&` of every kind.

use crate::corpus;
use crate::stored::store;
use crate::support::service::Service;

/// As many as are promised.
const LEAST: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn harmless_texts_come_back_byte_for_byte() {
    let entries = corpus::read("harmless.txt");
    assert!(entries.len() >= LEAST, "{} texts", entries.len());
    let service = Service::start().await;
    let texts: Vec<&str> = entries.iter().map(|entry| entry.text.as_str()).collect();
    let stored = store(&service.client, &texts).await;
    let mut damaged = Vec::new();
    for (entry, members) in entries.iter().zip(&stored) {
        for (member, text) in members {
            if *text != entry.text {
                damaged.push(format!(
                    "{}, in {member}:\n    sent   {:?}\n    stored {text:?}",
                    entry.name, entry.text
                ));
                break;
            }
        }
    }
    service.stop().await;
    assert!(
        damaged.is_empty(),
        "{} of {} harmless texts are damaged:\n{}",
        damaged.len(),
        entries.len(),
        damaged.join("\n")
    );
}
