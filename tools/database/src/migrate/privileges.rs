//! What a migration makes can be used by those who may use what was there: the service's role need not be the owner,
//! and must not be locked out by an upgrade.

use tokio_postgres::Transaction;

use super::MigrateError;
use crate::schema::Schema;

/// The privileges before a migration, and what there was.
#[derive(Default)]
pub(super) struct Privileges {
    /// Each as `privileges TO role`, of the table whose privileges new ones are given.
    on_tables: Vec<String>,
    /// Each as `EXECUTE TO role`; nothing if the function has PostgreSQL's own, which are everybody's.
    on_functions: Option<Vec<String>>,
    tables: Vec<u32>,
    functions: Vec<u32>,
}

/// The grants of an access list, without the owner's.
const GRANTS: &str = "
SELECT format(
    '%s TO %s%s',
    string_agg(privilege_type, ', ' ORDER BY privilege_type),
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
)";

const TABLES: &str = "
SELECT oid FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition";

const FUNCTIONS: &str = "
SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace";

impl Privileges {
    pub(super) async fn read(
        transaction: &Transaction<'_>,
        schema: &Schema<'_>,
    ) -> Result<Self, MigrateError> {
        let Some((table, function)) = schema.privileges_of else {
            return Ok(Self::default());
        };
        let grants = format!(
            "{GRANTS} FROM pg_class, aclexplode(relacl)
             WHERE oid = to_regclass($1) AND grantee <> relowner GROUP BY grantee, is_grantable"
        );
        let on_tables = texts(transaction, &grants, table).await?;
        let sql = "SELECT proacl IS NOT NULL FROM pg_proc WHERE oid = to_regproc($1)";
        let restricted = transaction.query_opt(sql, &[&function]).await?;
        let on_functions = if restricted.is_some_and(|row| row.get(0)) {
            let grants = format!(
                "{GRANTS} FROM pg_proc, aclexplode(proacl)
                 WHERE oid = to_regproc($1) AND grantee <> proowner GROUP BY grantee, is_grantable"
            );
            Some(texts(transaction, &grants, function).await?)
        } else {
            None
        };
        Ok(Self {
            on_tables,
            on_functions,
            tables: oids(transaction, TABLES).await?,
            functions: oids(transaction, FUNCTIONS).await?,
        })
    }

    /// Gives what is new the privileges of what was there.
    pub(super) async fn give(&self, transaction: &Transaction<'_>) -> Result<(), MigrateError> {
        if !self.on_tables.is_empty() {
            let new = format!(
                "SELECT t.oid::regclass::text FROM ({TABLES}) AS t WHERE t.oid <> ALL ($1)"
            );
            for row in transaction.query(&new, &[&self.tables]).await? {
                grant(transaction, row.get(0), &self.on_tables).await?;
            }
        }
        if let Some(grants) = &self.on_functions {
            let new = format!(
                "SELECT 'ROUTINE ' || f.oid::regprocedure::text FROM ({FUNCTIONS}) AS f WHERE f.oid <> ALL ($1)"
            );
            for row in transaction.query(&new, &[&self.functions]).await? {
                let function: &str = row.get(0);
                let revoke = format!("REVOKE ALL ON {function} FROM PUBLIC");
                transaction.batch_execute(&revoke).await?;
                grant(transaction, function, grants).await?;
            }
        }
        Ok(())
    }
}

async fn grant(
    transaction: &Transaction<'_>,
    on: &str,
    grants: &[String],
) -> Result<(), MigrateError> {
    for grant in grants {
        let (privileges, roles) = grant.split_once(" TO ").unwrap_or((grant, ""));
        let sql = format!("GRANT {privileges} ON {on} TO {roles}");
        transaction.batch_execute(&sql).await?;
    }
    Ok(())
}

async fn texts(
    transaction: &Transaction<'_>,
    sql: &str,
    name: &str,
) -> Result<Vec<String>, MigrateError> {
    let rows = transaction.query(sql, &[&name]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn oids(transaction: &Transaction<'_>, sql: &str) -> Result<Vec<u32>, MigrateError> {
    let rows = transaction.query(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
