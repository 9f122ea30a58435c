//! The same in Wasm: a component redacts a text many times for one request.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use database::{ChildProcess, IfAbandoned};

use super::speed::rate;
use crate::load::client::Connection;
use crate::load::servers::{program, workspace};
use crate::store::say;

/// How long the first answer may take: the host compiles the component first.
const PATIENCE: Duration = Duration::from_mins(3);

/// Bytes per microsecond; nothing where no host was built.
pub(super) async fn measure(text: &str, quick: bool) -> Result<Option<f64>> {
    let Ok(host) = program("BENCH_HOST") else {
        say("without Wasm: there is no host");
        return Ok(None);
    };
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let state = tempfile::tempdir()?;
    let log = File::create(state.path().join("log"))?;
    let mut shell = Command::new("sh");
    shell
        .current_dir(workspace())
        .env("RUST_LOG", "warn")
        .stdout(log.try_clone()?)
        .stderr(log);
    let address_text = address.to_string();
    let line = [
        host.as_os_str(),
        "--from".as_ref(),
        "bench/rules/spin.toml".as_ref(),
        "--listen".as_ref(),
        address_text.as_ref(),
        "--state-dir".as_ref(),
        state.path().as_os_str(),
    ];
    let mut server = ChildProcess::start(&mut shell, &line, IfAbandoned::ShutDown)?;
    let deadline = Instant::now() + PATIENCE;
    let mut connection = loop {
        if let Ok(connection) = Connection::open(address).await {
            break connection;
        }
        if server.has_ended()? || Instant::now() > deadline {
            let log = std::fs::read_to_string(state.path().join("log"))?;
            bail!("the host does not listen: {log}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let (times, requests) = if quick { (2, 3) } else { (10, 15) };
    let mut best = 0.0_f64;
    for _ in 0..requests {
        let seconds = run(&mut connection, text, times).await?;
        best = best.max(rate(text.len() * times, seconds));
    }
    Ok(Some(best))
}

async fn run(connection: &mut Connection, text: &str, times: usize) -> Result<f64> {
    let request = format!(
        "POST /redact?{times} HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    );
    let answer = connection.exchange(request.as_bytes()).await?;
    let text = String::from_utf8_lossy(answer.body);
    ensure!(answer.status == 200, "redaction in Wasm: {text}");
    let nanoseconds: f64 = text
        .parse()
        .with_context(|| format!("{text:?} is no time"))?;
    Ok(nanoseconds / 1e9)
}
