//! Which databases a command is about.

/// Options of a command line: the database, and the vector database if there is one.
#[derive(Debug, clap::Args)]
pub struct Databases {
    /// The database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: String,
    /// The vector database, if there is one
    #[arg(
        long,
        env = "VECTOR_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub vector_database_url: Option<String>,
}

impl Databases {
    /// The URL of the vector database; nothing if it is empty, too.
    pub fn vector_database_url(&self) -> Option<&str> {
        self.vector_database_url
            .as_deref()
            .filter(|url| !url.is_empty())
    }
}
