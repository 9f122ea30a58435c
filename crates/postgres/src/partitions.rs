//! The partitions of the months to come.

use crate::database::Database;
use crate::failure::Failure;
use crate::statement::text;

/// Makes the partitions of this month and the next three that are missing.
pub async fn ensure_partitions(database: &Database) -> Result<(), Failure> {
    text(database, "SELECT audit_ensure_partitions()::text", &[]).await?;
    Ok(())
}
