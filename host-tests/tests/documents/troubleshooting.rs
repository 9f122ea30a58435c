//! docs/troubleshooting.md: its commands are typed at a service in which nothing has failed.

use std::collections::BTreeSet;

use serde_json::json;

use crate::console::commands;
use crate::night::Night;
use crate::support::payloads::{fresh, remediation, with};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs curl; .ci/run installs it"]
async fn every_question_is_answered_as_the_page_says() {
    let night = Night::begin().await;
    let body = remediation(&fresh("payments"), &fresh("rr"));
    let note = json!({"note": "login with password=hunter2secret"});
    night
        .operator
        .has("record.json", &with(&body, &note).to_string());
    let commands = commands("troubleshooting.md");
    for command in &commands {
        night.sees(command).await;
    }
    let sections: BTreeSet<_> = commands.iter().map(|command| &command.section).collect();
    assert_eq!(sections.len(), 15, "the page says how many there are");
    night.host.stop().await;
}
