//! What an instance costs: to be made, and to be kept.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::client::Connection;
use super::measure::{Load, measure};
use super::operation::{Ask, Bare, Operation};
use super::process::Process;
use super::samples::Samples;
use super::servers::{Checkout, Host, Running, Start, Subject, workspace};

/// Every request gets an instance of its own.
pub(crate) const NEVER_REUSED: [&str; 2] = ["--max-instance-reuse-count", "1"];
/// Says how much memory each instance had.
const LOG_OF_INSTANCES: &str = "warn,host::instance=debug";
/// Longer than `upkeep` is at work once an answer has woken it, as every new instance's first answer does. Its statements would be
/// measured with the next request's instance, which has nothing to do with them.
const UPKEEP_ENDS: Duration = Duration::from_millis(20);
/// Longer than an idle instance is kept.
const UNTIL_IDLE_ENDS: Duration = Duration::from_millis(1500);

/// Medians in milliseconds at one connection, with the instance of the request before and with a new one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColdStart {
    pub(crate) kept: f64,
    pub(crate) new: f64,
}

/// What is needed to run more servers on the same database.
pub(crate) struct Place<'a> {
    pub(crate) checkout: &'a Checkout,
    pub(crate) url: &'a str,
    pub(crate) samples: &'a Arc<Samples>,
    pub(crate) database: Process,
    pub(crate) duration: Duration,
}

impl Place<'_> {
    /// How long an answer takes from a new instance: of the bare component without and with a statement, of
    /// the service without a database, and of a record.
    pub(crate) async fn cold_starts(&self) -> Result<BTreeMap<&'static str, ColdStart>> {
        let what = [
            ("bare nothing", Subject::Bare, Ask::Bare(Bare::Nothing)),
            ("bare statement", Subject::Bare, Ask::Bare(Bare::Statement)),
            ("health", Subject::Service, Ask::Store(Operation::Health)),
            (
                "get_by_id",
                Subject::Service,
                Ask::Store(Operation::GetById),
            ),
        ];
        let mut all = BTreeMap::new();
        for subject in [Subject::Bare, Subject::Service] {
            let usual = Start::usual(self.checkout, self.url);
            let cold = Start {
                arguments: &NEVER_REUSED,
                ..Start::usual(self.checkout, self.url)
            };
            let (kept, new) = (usual.run(subject).await?, cold.run(subject).await?);
            for (name, of, ask) in what {
                if of == subject {
                    let cold_start = ColdStart {
                        kept: self.median(&kept, ask).await?,
                        new: self.median(&new, ask).await?,
                    };
                    all.insert(name, cold_start);
                }
            }
        }
        Ok(all)
    }

    async fn median(&self, server: &Running, ask: Ask) -> Result<f64> {
        let outcome = measure(Load {
            ask,
            pause: UPKEEP_ENDS,
            ..self.load(server)
        });
        let outcome = outcome.await.with_context(|| server.last_lines())?;
        Ok(outcome.p50)
    }

    /// The most memory that an instance of each component had, in bytes; nothing where the host does not say.
    pub(crate) async fn memory(&self) -> Result<BTreeMap<String, u64>> {
        if !matches!(self.checkout.host, Host::Native(_)) {
            return Ok(BTreeMap::new());
        }
        let start = Start {
            log: LOG_OF_INSTANCES,
            ..Start::usual(self.checkout, self.url)
        };
        let server = start.run(Subject::Service).await?;
        for operation in Operation::ALL {
            self.median(&server, Ask::Store(operation)).await?;
        }
        search(&server).await?;
        tokio::time::sleep(UNTIL_IDLE_ENDS).await;
        Ok(largest(&server.log()?))
    }
}

/// A request to the one component that no operation reaches. Without embeddings the answer is an error, and
/// that, too, takes the component's memory.
async fn search(server: &Running) -> Result<()> {
    let body = r#"{"query": "a pod that keeps dying"}"#;
    let request = format!(
        "POST /api/v1/query/semantic HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = Connection::open(server.address).await?;
    connection.exchange(request.as_bytes()).await?;
    Ok(())
}

/// From lines such as `an instance of "write" ends with 1310720 bytes of memory`.
fn largest(log: &str) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for line in log.lines() {
        let parsed = (|| {
            let (_, rest) = line.split_once("an instance of \"")?;
            let (component, rest) = rest.split_once("\" ends with ")?;
            let bytes: u64 = rest.split(' ').next()?.parse().ok()?;
            Some((component.to_owned(), bytes))
        })();
        if let Some((component, bytes)) = parsed {
            let most = all.entry(component).or_insert(0);
            *most = bytes.max(*most);
        }
    }
    all
}

/// The size of each component's `.wasm`, in bytes.
pub(crate) fn sizes() -> Result<BTreeMap<String, u64>> {
    ["events", "health", "query", "search", "upkeep", "write"]
        .map(|component| {
            let file = workspace().join(format!("target/wasm32-wasip2/release/{component}.wasm"));
            let size = fs::metadata(&file).with_context(|| file.display().to_string())?;
            Ok((component.to_owned(), size.len()))
        })
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_instance_counts() {
        let log = "DEBUG host::instance: an instance of \"write\" ends with 20 bytes of memory\n\
                   {\"msg\":\"request\"}\n\
                   DEBUG host::instance: an instance of \"write\" ends with 9 bytes of memory\n";
        assert_eq!(largest(log), BTreeMap::from([("write".to_owned(), 20)]));
    }
}
