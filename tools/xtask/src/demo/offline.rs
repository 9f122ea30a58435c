//! An export that anybody can verify, without the service.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use kubernaut_services::Remediation;

use super::answers::heading;
use super::service::Service;
use crate::cargo::workspace;
use crate::progress::say;
use crate::stage::http::Request;

const SCRIPT: &str = "docs/verify_export.py";

/// Exports a remediation, and has the script of the documentation look at the file.
pub(super) async fn export(
    service: &Service,
    of: &Remediation,
    chain_key: Option<&str>,
) -> Result<()> {
    let path = format!("/api/v1/audit/export?correlation_id={}", of.id);
    heading(
        "An export",
        &format!("curl '{}{path}' -o export.json", service.url()),
    );
    let answer = service.send(Request::get(&path)).await?;
    if answer.status != 200 {
        bail!("{path} is answered {}: {}", answer.status, answer.body);
    }
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let file = folder.path().join("export.json");
    std::fs::write(&file, &answer.body).context("the export cannot be written")?;
    println!("  {} bytes", answer.body.len());

    heading(
        "The same without the service",
        &format!("python3 {SCRIPT} export.json"),
    );
    match verify(&file, chain_key) {
        Ok(words) => print!("  {words}"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            say("python3 is not installed, so nobody looks at the export here");
        }
        Err(error) => return Err(error).context("the script does not run"),
    }
    Ok(())
}

/// What the script says.
fn verify(file: &Path, chain_key: Option<&str>) -> std::io::Result<String> {
    let mut script = Command::new("python3");
    script.arg(workspace().join(SCRIPT)).arg(file);
    if let Some(key) = chain_key {
        script.args(["--chain-key", key]);
    }
    let output = script.output()?;
    Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}
