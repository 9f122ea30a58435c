//! `cargo xtask backfill`: many records at once to where single requests would bring them one by one.
//!
//! A program of its own, because databases and providers elsewhere need TLS, which the other commands do without.

mod provider;
mod vector_db;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use audit::{EmbeddingOutcome, Pending};
use clap::Parser;
use database::{Databases, connect};
use futures::future::try_join_all;
use http::header::HeaderName;
use indicatif::{ProgressBar, ProgressStyle};
use tokio_postgres::Client;

use self::provider::{Provider, Vectors};
/// Texts of one question to the provider.
const TOGETHER: usize = 64;
/// Questions at once.
const AT_ONCE: usize = 4;

/// Embed the records that have no vector of the model, and fill up a vector database
#[derive(Parser)]
#[command(name = "backfill")]
struct Backfill {
    #[command(flatten)]
    databases: Databases,
    /// The embedding provider; without one nothing is embedded
    #[arg(long, env = "SPIN_VARIABLE_EMBEDDING_URL", value_name = "URL")]
    embedding_url: Option<String>,
    /// The path there
    #[arg(
        long,
        env = "SPIN_VARIABLE_EMBEDDING_PATH",
        default_value = "/v1/embeddings"
    )]
    embedding_path: String,
    /// What the provider calls the model
    #[arg(
        long,
        env = "SPIN_VARIABLE_EMBEDDING_MODEL",
        default_value = "all-MiniLM-L6-v2"
    )]
    embedding_model: String,
    /// Its key; better in the environment, since other users can read command lines
    #[arg(
        long,
        env = "SPIN_VARIABLE_EMBEDDING_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    embedding_api_key: Option<String>,
    /// The header that carries it: as a bearer token in `authorization`, alone in any other
    #[arg(
        long,
        env = "SPIN_VARIABLE_EMBEDDING_API_KEY_HEADER",
        default_value = "authorization",
        value_name = "NAME"
    )]
    embedding_api_key_header: HeaderName,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Backfill::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Backfill {
    async fn run(self) -> Result<()> {
        let primary = connect(&self.databases.database_url).await?;
        match self.embedding_url.as_deref().filter(|url| !url.is_empty()) {
            Some(base) => self.embed(&primary, base).await?,
            None => say("no --embedding-url, so nothing is embedded"),
        }
        if let Some(url) = self.databases.vector_database_url() {
            let vector = connect(url).await?;
            vector_db::fill(&primary, &vector).await?;
        }
        Ok(())
    }

    async fn embed(&self, primary: &Client, base: &str) -> Result<()> {
        let provider = Provider::new(
            base,
            &self.embedding_path,
            &self.embedding_model,
            self.embedding_api_key.as_deref(),
            &self.embedding_api_key_header,
            dimensions(primary).await?,
        )?;
        let bar = bar("embedding", waiting(primary, &self.embedding_model).await?);
        let (mut embedded, mut refused) = (0, 0);
        loop {
            let pending = claim(primary, &self.embedding_model).await?;
            if pending.is_empty() {
                break;
            }
            let chunks = pending.chunks(TOGETHER).map(|chunk| ask(&provider, chunk));
            let done: Vec<EmbeddingOutcome<'_>> =
                try_join_all(chunks).await?.into_iter().flatten().collect();
            refused += done.iter().filter(|done| done.is_refused()).count();
            let stored = store(primary, &done).await?;
            embedded += stored;
            bar.inc(stored);
        }
        primary
            .execute("SELECT audit_embedding_release('0 seconds')", &[])
            .await?;
        bar.finish_and_clear();
        println!("{embedded} records embedded with {}", self.embedding_model);
        if refused > 0 {
            println!("{refused} texts were refused by the provider; the service tries them again");
        }
        Ok(())
    }
}

/// Records that have no vector of the model yet. Instances of the service keep away for a while.
async fn claim(primary: &Client, model: &str) -> Result<Vec<Pending>> {
    primary
        .execute("SELECT audit_embedding_release('1 minute')", &[])
        .await?;
    let wanted = i32::try_from(TOGETHER * AT_ONCE)?;
    let sql = "SELECT audit_embedding_pending($1, $2)::text";
    let row = primary.query_one(sql, &[&model, &wanted]).await?;
    Ok(serde_json::from_str(row.get(0))?)
}

/// The vectors of some records.
async fn ask<'a>(
    provider: &'a Provider,
    records: &'a [Pending],
) -> Result<Vec<EmbeddingOutcome<'a>>> {
    let texts: Vec<Option<String>> = records.iter().map(|record| record.parts.text()).collect();
    let said: Vec<&str> = texts.iter().flatten().map(String::as_str).collect();
    let mut vectors = match provider.embed(&said, false).await? {
        Vectors::Of(vectors) => vectors,
        Vectors::Refused => one_by_one(provider, &said).await?,
    }
    .into_iter();
    let outcomes = records.iter().zip(&texts).map(|(record, text)| {
        match text.as_ref().map(|_| vectors.next().flatten()) {
            None => record.without_text(),
            Some(Some(vector)) => record.embedded(provider.model(), &vector),
            Some(None) => record.refused(),
        }
    });
    Ok(outcomes.collect())
}

/// Whose text a provider refuses only it knows, so each is asked for alone.
async fn one_by_one(provider: &Provider, texts: &[&str]) -> Result<Vec<Option<audit::Vector>>> {
    let mut vectors = Vec::with_capacity(texts.len());
    for text in texts {
        // Until one is answered, the fault may be the provider's.
        let answers_others = vectors.iter().any(Option::is_some);
        vectors.push(match provider.embed(&[text], answers_others).await? {
            Vectors::Of(mut one) => one.pop().flatten(),
            Vectors::Refused => None,
        });
    }
    Ok(vectors)
}

/// How many records were stored. Those that have changed since wait for the next round.
async fn store(primary: &Client, done: &[EmbeddingOutcome<'_>]) -> Result<u64> {
    // Announced to the vector database if that is up to date, or being brought up to date.
    let sql =
        "SELECT audit_embed($1::text::jsonb, (SELECT complete IS NOT FALSE FROM audit_vector_db))";
    let row = primary
        .query_one(sql, &[&serde_json::to_string(done)?])
        .await?;
    Ok(u64::try_from(row.get::<_, i32>(0))?)
}

async fn dimensions(primary: &Client) -> Result<usize> {
    let sql = "SELECT value FROM audit_setting WHERE name = 'embedding_dimensions'";
    let row = primary.query_opt(sql, &[]).await?;
    let Some(row) = row else {
        bail!("the database has no embedding dimensions; run `cargo xtask migrate` first");
    };
    row.get::<_, &str>(0)
        .parse()
        .context("the database's embedding dimensions")
}

async fn waiting(primary: &Client, model: &str) -> Result<u64> {
    let sql = "SELECT count(*) FROM audit
        WHERE embedding_model IS NULL
            OR (embedding_model > '' AND embedding_model <> $1 AND deleted_at IS NULL)";
    Ok(u64::try_from(
        primary.query_one(sql, &[&model]).await?.get::<_, i64>(0),
    )?)
}

/// A line about what happens now.
fn say(what: &str) {
    eprintln!("==> {what}");
}

/// A progress bar: in place on a terminal, elsewhere nothing.
fn bar(what: &'static str, total: u64) -> ProgressBar {
    say(&format!("{what}: {total} records"));
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {per_sec}, {eta} left");
    let bar = ProgressBar::new(total).with_message(what);
    bar.enable_steady_tick(Duration::from_millis(500));
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
