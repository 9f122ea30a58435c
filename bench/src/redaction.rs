//! What redaction finds, what it leaves alone, and how fast it is, on the texts of `corpus/`. Beside it, on the same texts,
//! what the published rules of gitleaks and detect-secrets find.

mod detect_secrets;
mod gitleaks;
mod gitleaks_rules;
mod logs;
mod made_up;
mod ours;
mod score;
mod speed;
mod tables;
mod targets;
mod wasm;

use anyhow::Result;
use serde_json::{Value, json};

use crate::report::Report;
use crate::store::say;
use score::{Score, Tool};

/// The texts, and what each tool made of them.
struct Measured {
    secrets: Vec<corpus::Secrets>,
    harmless: Vec<corpus::Harmless>,
    /// Ours first.
    tools: Vec<(Tool, Score)>,
    own: ours::Own,
}

pub(crate) async fn run(quick: bool) -> Result<Value> {
    let measured = measure()?;
    say("combinations");
    let made_up = made_up::measure(if quick { 500 } else { 20_000 });
    say("native speed");
    let speed = speed::measure(&measured.harmless, quick);
    say("speed in Wasm");
    let wasm = wasm::measure(&speed.ordinary, quick).await?;
    let reports = [
        (
            "Targets",
            targets::report(&measured, &made_up, &speed, wasm),
        ),
        ("Recall by family", tables::families(&measured)),
        ("Recall by form", tables::forms(&measured)),
        ("Damage by kind", tables::kinds(&measured)),
        ("Combinations", made_up.report()),
        ("Time", speed.report(wasm)),
    ];
    let mut figures = serde_json::Map::new();
    for (title, report) in reports {
        println!("\n## {title}\n");
        Report::print(&report);
        figures.insert(title.to_owned(), report.to_json());
    }
    Ok(json!(figures))
}

fn measure() -> Result<Measured> {
    let (secrets, harmless) = (corpus::secrets()?, corpus::harmless()?);
    say(&format!(
        "{} texts with secrets, {} without",
        secrets.len(),
        harmless.len()
    ));
    let (own, score) = ours::measure(&secrets, &harmless);
    let mut tools = vec![(Tool::Ours, score)];
    say("gitleaks' rules");
    tools.push((Tool::Gitleaks, gitleaks::measure(&secrets, &harmless)?));
    say("detect-secrets");
    match detect_secrets::measure(&secrets, &harmless) {
        Ok(score) => tools.push((Tool::DetectSecrets, score)),
        Err(error) => say(&format!("without detect-secrets: {error:#}")),
    }
    Ok(Measured {
        secrets,
        harmless,
        tools,
        own,
    })
}
