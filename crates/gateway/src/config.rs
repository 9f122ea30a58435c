//! The service's variables, read once per instance and checked by name.

mod database;
mod embedding;
mod values;

use std::cell::RefCell;
use std::rc::Rc;

pub(crate) use self::database::Database;
pub(crate) use self::embedding::Embedding;
use self::values::{SWITCH, Values, switch};
use crate::log::{Format, Level};
use crate::serve::{Component, Configured};

/// What a component runs with.
#[derive(Debug)]
pub struct Config {
    /// Nothing for a component that uses none.
    pub(crate) database: Option<Database>,
    /// Nothing where there is no vector database.
    pub(crate) vector_db: Option<VectorDb>,
    /// Nothing where nobody makes embeddings.
    pub(crate) embedding: Option<Embedding>,
    /// How many candidates a search in an HNSW index keeps (pgvector's `hnsw.ef_search`).
    pub(crate) search_ef: i32,
    pub(crate) log_level: Level,
    pub(crate) log_format: Format,
}

/// The second database, which has the vectors too.
#[derive(Debug)]
pub(crate) struct VectorDb {
    pub(crate) database: Database,
    pub(crate) mode: VectorDbMode,
}

/// What a write does if the vector database is away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum VectorDbMode {
    /// The record is stored, the vector database is told later.
    #[default]
    Fallback,
    /// Neither is written.
    Strict,
}

/// A variable with an unusable value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misconfigured {
    /// The variable's name.
    pub name: &'static str,
    /// What it should be. Never the value, which may be a secret.
    pub message: &'static str,
}

impl std::fmt::Display for Misconfigured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "variable {} {}", self.name, self.message)
    }
}

thread_local! {
    static LOADED: RefCell<Option<Rc<Config>>> = const { RefCell::new(None) };
}

impl Config {
    /// How many candidates a search in an HNSW index keeps.
    pub fn search_ef(&self) -> i32 {
        self.search_ef
    }

    /// The configuration of this instance. All unusable variables are reported together; nothing is
    /// kept then, so a provider that recovers is asked again.
    pub(crate) async fn load(component: Component) -> Configured {
        if let Some(config) = LOADED.with_borrow(Clone::clone) {
            return Ok(config);
        }
        let config = Rc::new(read(component).await?);
        LOADED.set(Some(config.clone()));
        Ok(config)
    }
}

async fn read(component: Component) -> Result<Config, Vec<Misconfigured>> {
    let mut values = Values::default();
    let database = match component.timeouts {
        [] => None,
        timeouts => Some(Database::primary(component.name, timeouts, &mut values).await),
    };
    let (mut embedding, mut vector_db, mut search_ef) = (None, None, 0);
    if component.vectors {
        embedding = Embedding::read(component.asks_provider, &mut values).await;
        vector_db = VectorDb::read(component.name, &mut values).await;
        search_ef = values
            .parsed("search_ef", "must be a number from 1 to 1000", ef)
            .await;
    }
    let log_level = values
        .parsed(
            "log_level",
            "must be debug, info, warn or error",
            Level::parse,
        )
        .await;
    let log_format = values
        .parsed("log_format", "must be json or text", Format::parse)
        .await;
    // Fails closed: a deployment that asks for identities must not run without them.
    let () = values
        .parsed(
            "auth_mode",
            "must be off; this build knows no other mode",
            |mode| (mode == "off").then_some(()),
        )
        .await;

    if values.wrong.is_empty() {
        Ok(Config {
            database,
            vector_db,
            embedding,
            search_ef,
            log_level,
            log_format,
        })
    } else {
        Err(values.wrong)
    }
}

impl VectorDb {
    async fn read(component: &str, values: &mut Values) -> Option<Self> {
        let enabled = values.parsed("vector_db_enabled", SWITCH, switch).await;
        let mode = values
            .parsed("vector_db_mode", "must be fallback or strict", mode)
            .await;
        let database = Database::vector(component, values).await;
        enabled.then_some(Self { database, mode })
    }
}

fn mode(text: &str) -> Option<VectorDbMode> {
    match text {
        "fallback" => Some(VectorDbMode::Fallback),
        "strict" => Some(VectorDbMode::Strict),
        _ => None,
    }
}

/// pgvector's range of `hnsw.ef_search`.
fn ef(text: &str) -> Option<i32> {
    text.parse().ok().filter(|ef| (1..=1000).contains(ef))
}
