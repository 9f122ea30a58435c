//! The vector database: a second PostgreSQL that has the vectors too.

use std::time::Duration;

use audit::Vector;
use instance::{Breaker, SWITCH, Variables, switch};
use metrics::DualWriteFailure;
use postgres::{Database, Failure, Names, Needed, Parameter, Schema};

use crate::settings::Provider;

const NAMES: Names = Names {
    host: "vector_db_host",
    port: "vector_db_port",
    user: "vector_db_user",
    password: "vector_db_password",
    name: "vector_db_name",
    ssl_mode: "vector_db_ssl_mode",
    ca_cert: "vector_db_ca_cert",
};

/// How long the vector database is left alone after it failed.
const PAUSE: Duration = Duration::from_secs(1);

thread_local! {
    static BREAKER: Breaker = Breaker::default();
}

/// How to reach the vector database, and what a write does while it is away.
#[derive(Debug)]
pub struct VectorDb {
    pub(crate) database: Database,
    pub(crate) mode: Mode,
}

/// What a write does if the vector database is away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The record is stored, the vector database is told later.
    #[default]
    Fallback,
    /// Neither is written.
    Strict,
}

impl VectorDb {
    /// Nothing where there is no vector database; the other variables are checked all the same.
    pub async fn read(component: &str, variables: &mut Variables) -> Option<Self> {
        let enabled = variables.parsed("vector_db_enabled", SWITCH, switch).await;
        let mode = variables
            .parsed("vector_db_mode", "must be fallback or strict", mode)
            .await;
        let database = Database::read(component, &NAMES, &["vector_db_timeout"], variables).await;
        enabled.then_some(Self { database, mode })
    }

    /// Runs one statement. While the breaker is open, fails at once. Only a server that is away opens it: what is
    /// wrong with one statement says nothing about the next.
    pub(crate) async fn text(
        &self,
        statement: &str,
        parameters: &[Parameter],
    ) -> Result<Option<String>, Failure> {
        if BREAKER.with(Breaker::open_for).is_some() {
            return Err(Failure::Unavailable("the vector database was just away"));
        }
        let outcome = postgres::text(&self.database, statement, parameters).await;
        BREAKER.with(|breaker| match &outcome {
            Err(failure) if failure.says_away() => breaker.open(PAUSE),
            _ => breaker.close(),
        });
        outcome
    }

    /// Tells it the state of some records, as `audit_outbox_claim` gave it.
    pub(crate) async fn apply(&self, entries: &str) -> Result<(), Failure> {
        let statement = "
            SELECT jsonb_array_length(entries)::text
            FROM (SELECT $1::text::jsonb AS entries) AS told, audit_embeddings_apply(entries)";
        let entries = Parameter::Str(entries.to_owned());
        let told = self.text(statement, &[entries]).await;
        let told = told.inspect_err(count_failure)?;
        metrics::dual_write(told.and_then(|told| told.parse().ok()).unwrap_or_default());
        Ok(())
    }

    /// Withdraws the intents of strict mode for these ids, a JSON array.
    pub(crate) async fn withdraw(&self, ids: &str) -> Result<(), Failure> {
        let statement = "SELECT audit_intents_drop($1::text::jsonb)::text";
        let ids = Parameter::Str(ids.to_owned());
        self.text(statement, &[ids]).await.map(drop)
    }
}

/// Counts that the vector database was not told.
pub(crate) fn count_failure(failure: &Failure) {
    metrics::dual_write_failure(match failure {
        Failure::Timeout | Failure::Hangs => DualWriteFailure::Timeout,
        Failure::Unavailable(_) | Failure::Busy | Failure::LostConnection => {
            DualWriteFailure::Unavailable
        }
        _ => DualWriteFailure::Refused,
    });
}

fn mode(text: &str) -> Option<Mode> {
    match text {
        "fallback" => Some(Mode::Fallback),
        "strict" => Some(Mode::Strict),
        _ => None,
    }
}

/// What the vector database finds nearest to `vector`, as `audit_search_among` takes it. `kinds` is a JSON array, or
/// null for all; `ef` is how many candidates HNSW keeps.
pub async fn nearest(
    vector_db: &VectorDb,
    vector: &Vector,
    model: &str,
    kinds: &Parameter,
    limit: i32,
    ef: i32,
) -> Result<Option<String>, Failure> {
    let parameters = [
        Parameter::Str(vector.to_sql()),
        Parameter::Str(model.to_owned()),
        kinds.clone(),
        Parameter::Int32(limit),
        Parameter::Int32(ef),
    ];
    let statement = "SELECT audit_embeddings_nearest($1, $2, $3::text::jsonb, $4, $5)";
    vector_db.text(statement, &parameters).await
}

/// Whether the vector database can be used: `ok`, or what is wrong.
///
/// `provider` says how long the vectors are that it is to take.
pub async fn verdict(vector_db: &VectorDb, provider: Option<&Provider>) -> String {
    let needed = Needed {
        tables: migrations::vector_db::TABLES_VERSION,
        functions: migrations::vector_db::FUNCTIONS_DIGEST,
    };
    match postgres::schema(&vector_db.database, needed).await {
        Ok(Schema::Current) => match provider {
            Some(provider) => dimensions(vector_db, provider.dimensions).await,
            None => "ok".into(),
        },
        Ok(behind) => behind.to_string(),
        Err(Failure::Timeout | Failure::Hangs) => "does not answer in time".into(),
        Err(_) => "unreachable".into(),
    }
}

/// Whether it was made for vectors of this length.
async fn dimensions(vector_db: &VectorDb, wanted: usize) -> String {
    // pgvector keeps the length of a column's vectors in its type modifier.
    let statement = "
        SELECT atttypmod::text FROM pg_attribute
        WHERE attrelid = 'audit_embeddings'::regclass AND attname = 'embedding'";
    match postgres::text(&vector_db.database, statement, &[]).await {
        Ok(Some(made_for)) if made_for == wanted.to_string() => "ok".into(),
        Ok(made_for) => format!(
            "was made for embeddings of {} dimensions, and embedding_dimensions is {wanted}",
            made_for.unwrap_or_default()
        ),
        Err(_) => "unreachable".into(),
    }
}
