//! Which databases a command is about.

#[derive(clap::Args)]
pub(crate) struct Databases {
    /// The database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) database_url: String,
    /// The vector database, if there is one
    #[arg(
        long,
        env = "VECTOR_DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) vector_database_url: Option<String>,
}

impl Databases {
    /// The URL of the vector database; nothing if it is empty, too.
    pub(crate) fn vector_database_url(&self) -> Option<&str> {
        self.vector_database_url
            .as_deref()
            .filter(|url| !url.is_empty())
    }
}
