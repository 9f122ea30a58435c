//! Whether everything is there without which nothing can be written. Callers take themselves out of service while it is not.

use std::rc::Rc;
use std::time::Duration;

use edge::{Reply, Result};
use http::StatusCode;
use instance::{Memo, Misconfigured, timestamp};
use postgres::{Failure, Needed};
use serde::{Deserialize, Serialize};

use crate::config::{Config, Configured};

/// The oldest PostgreSQL that works, as `server_version_num`.
const POSTGRESQL: i32 = 160_000;
/// The oldest pgvector that works.
const PGVECTOR: (u32, u32, u32) = (0, 5, 1);

/// The answer. Each check is `ok`, `disabled`, or says what is wrong.
#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    checks: Checks,
    timestamp: String,
}

#[derive(Serialize)]
struct Checks {
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<String>,
    database: String,
    /// Of no consequence for readiness: writes and searches do without, or say so themselves.
    vector_db: String,
    /// Of no consequence for readiness: reads go to the primary then.
    replica: String,
    /// As `vector_db`: what cannot be embedded is stored without a vector.
    embedding: String,
    /// As `vector_db`.
    cache: &'static str,
    /// Of no consequence for readiness, but for the one who deploys it.
    access_control: &'static str,
    schema: String,
}

impl Checks {
    fn passed(&self) -> bool {
        self.configuration.is_none() && self.database == "ok" && self.schema == "ok"
    }
}

/// Servers are asked at most this often, however many want to know.
const AGE: Duration = Duration::from_secs(1);

thread_local! {
    static CHECKED: Rc<Memo<Rc<Readiness>>> = Rc::new(Memo::new(AGE));
}

/// 200 if all checks pass, else 503.
pub(crate) async fn show(config: Configured) -> Result<Reply> {
    let checked = CHECKED.with(Rc::clone);
    let readiness = checked.get(async || Rc::new(check_all(config).await)).await;
    let status = if readiness.checks.passed() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok(Reply::json(status, &*readiness)?)
}

async fn check_all(config: Configured) -> Readiness {
    // Whoever reads it must know that what was so before shows.
    let timestamp = timestamp();
    let mut checks = check(&config).await;
    if let Ok(config) = &config {
        checks.vector_db = match &config.vector_db {
            None => "disabled".into(),
            Some(vector_db) => vectors::verdict(vector_db, config.provider.as_deref()).await,
        };
        checks.replica = config.reads.standing().await.verdict();
        // Who waits for a database that is away need not wait for it twice.
        if checks.passed() {
            checks.embedding = embedding(config).await;
        }
        checks.cache = cache(config).await;
        checks.access_control = config.access_control.verdict();
        config.access_control.announce();
    }
    let status = if checks.passed() {
        "ready"
    } else {
        "not_ready"
    };
    Readiness {
        status,
        checks,
        timestamp,
    }
}

/// Whether all checks pass.
pub(crate) async fn is_up(config: Configured) -> bool {
    check(&config).await.passed()
}

/// What readiness depends on. The rest is only shown, so nobody else waits for it.
async fn check(config: &Configured) -> Checks {
    const UNKNOWN: &str = "unknown";
    let mut checks = Checks {
        configuration: None,
        database: UNKNOWN.into(),
        vector_db: UNKNOWN.into(),
        replica: UNKNOWN.into(),
        embedding: UNKNOWN.into(),
        cache: UNKNOWN,
        access_control: UNKNOWN,
        schema: UNKNOWN.into(),
    };
    let config = match config {
        Ok(config) => config,
        Err(wrong) => {
            checks.configuration = Some(names(wrong));
            return checks;
        }
    };
    match server(config).await {
        Ok(server) => {
            checks.database = server.verdict();
            checks.schema = schema(config).await;
        }
        Err(Failure::Timeout | Failure::Hangs) => {
            checks.database = "does not answer in time".into();
        }
        Err(_) => checks.database = "unreachable".into(),
    }
    checks
}

fn names(wrong: &[Misconfigured]) -> String {
    let lines: Vec<_> = wrong.iter().map(Misconfigured::to_string).collect();
    lines.join("; ")
}

async fn cache(config: &Config) -> &'static str {
    match &config.provider {
        Some(provider) if provider.cache_ttl.is_some() => {
            if vectors::cache_works().await {
                "ok"
            } else {
                "does not answer; embeddings are fetched anew each time"
            }
        }
        _ => "disabled",
    }
}

/// What runs there.
#[derive(Deserialize)]
struct Server {
    postgresql: i32,
    pgvector: Option<String>,
}

async fn server(config: &Config) -> Result<Server, Failure> {
    let statement = "
        SELECT json_build_object(
            'postgresql', current_setting('server_version_num')::integer,
            'pgvector', (SELECT extversion FROM pg_extension WHERE extname = 'vector')
        )::text";
    let text = postgres::text(&config.database, statement, &[])
        .await?
        .unwrap_or_default();
    serde_json::from_str(&text).map_err(|_| Failure::Other("the version is not readable".into()))
}

impl Server {
    fn verdict(&self) -> String {
        if self.postgresql < POSTGRESQL {
            return format!(
                "PostgreSQL {} is too old; 16 or newer is needed",
                self.postgresql / 10_000
            );
        }
        match self.pgvector.as_deref() {
            None => "the extension pgvector is not installed; run the migrations".into(),
            Some(found) if version(found) < PGVECTOR => {
                format!("pgvector {found} is too old; 0.5.1 or newer is needed")
            }
            Some(_) => "ok".into(),
        }
    }
}

/// `0.8.5` as numbers; a part that is missing or none counts as 0.
fn version(text: &str) -> (u32, u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or_default());
    let mut next = || parts.next().unwrap_or_default();
    (next(), next(), next())
}

async fn schema(config: &Config) -> String {
    let needed = Needed {
        tables: migrations::TABLES_VERSION,
        functions: migrations::FUNCTIONS_DIGEST,
    };
    match postgres::schema(&config.database, needed).await {
        Ok(found) => found.to_string(),
        Err(_) => "unknown".into(),
    }
}

/// Whether the database was made for embeddings of the configured length.
async fn embedding(config: &Config) -> String {
    let Some(provider) = &config.provider else {
        return "disabled".into();
    };
    let statement = "SELECT value FROM audit_setting WHERE name = 'embedding_dimensions'";
    let Ok(made_for) = postgres::text(&config.database, statement, &[]).await else {
        return "unknown".into();
    };
    let (made_for, wanted) = (made_for.unwrap_or_default(), provider.dimensions);
    if wanted.to_string() == made_for {
        "ok".into()
    } else {
        format!(
            "the database was made for embeddings of {made_for} dimensions, and embedding_dimensions is {wanted}"
        )
    }
}
