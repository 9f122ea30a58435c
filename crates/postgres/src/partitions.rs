//! The partitions of the months to come.

use runtime::Instant;

use crate::database::Database;
use crate::failure::Failure;
use crate::statement::text_until;

/// Makes the partitions of this month and the next three that are missing.
pub async fn ensure_partitions(database: &Database) -> Result<(), Failure> {
    ensure_partitions_until(database.deadline(), database).await
}

pub(crate) async fn ensure_partitions_until(
    deadline: Instant,
    database: &Database,
) -> Result<(), Failure> {
    let statement = "SELECT audit_ensure_partitions()::text";
    text_until(deadline, database, statement, &[]).await?;
    Ok(())
}
