//! What the server must offer: PostgreSQL 16 and pgvector 0.5.1 (contract, section 4).

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{MigrateError, Refusal};

/// As in `server_version_num`.
const OLDEST_POSTGRES: i32 = 160_000;
const OLDEST_VECTOR: [u32; 3] = [0, 5, 1];

pub(super) async fn check_postgres(client: &Client) -> Result<(), MigrateError> {
    let sql =
        "SELECT current_setting('server_version_num')::int, current_setting('server_version')";
    let row = client.query_one(sql, &[]).await?;
    Ok(new_enough(row.get(0), row.get(1))?)
}

fn new_enough(number: i32, name: String) -> Result<(), Refusal> {
    if number < OLDEST_POSTGRES {
        return Err(Refusal::PostgresTooOld { found: name });
    }
    Ok(())
}

/// Creates the extension `vector` where it is missing.
pub(super) async fn ensure_vector(client: &Client) -> Result<(), MigrateError> {
    let sql = "SELECT (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
                      (SELECT default_version FROM pg_available_extensions WHERE name = 'vector')";
    let row = client.query_one(sql, &[]).await?;
    let installed: Option<String> = row.get(0);
    let available: Option<String> = row.get(1);
    check_vector(installed.as_deref(), available.as_deref())?;
    if installed.is_some() {
        return Ok(());
    }
    match client.batch_execute("CREATE EXTENSION vector").await {
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            let row = client.query_one("SELECT current_user::text", &[]).await?;
            Err(Refusal::MayNotCreateVector { role: row.get(0) }.into())
        }
        result => Ok(result?),
    }
}

/// `available` is what `CREATE EXTENSION` would install.
fn check_vector(installed: Option<&str>, available: Option<&str>) -> Result<(), Refusal> {
    let available_is_new = available.is_some_and(|version| parse(version) >= OLDEST_VECTOR);
    let advice = if available_is_new {
        "run ALTER EXTENSION vector UPDATE in it"
    } else {
        "install a newer pgvector on the server"
    };
    match installed.or(available) {
        None => Err(Refusal::NoVector),
        Some(found) if parse(found) < OLDEST_VECTOR => Err(Refusal::VectorTooOld {
            found: found.to_owned(),
            advice,
        }),
        Some(_) => Ok(()),
    }
}

/// Three numbers; what is missing or not a number is 0.
fn parse(version: &str) -> [u32; 3] {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_16_is_the_oldest() {
        assert_eq!(new_enough(160_000, "16.0".into()), Ok(()));
        assert_eq!(new_enough(180_004, "18.4".into()), Ok(()));
        let refusal = new_enough(150_017, "15.17".into()).expect_err("15 is too old");
        assert_eq!(
            refusal.to_string(),
            "the server runs PostgreSQL 15.17, but the audit store needs 16 or newer; upgrade the server"
        );
    }

    #[test]
    fn vector_0_5_1_is_the_oldest() {
        for version in ["0.5.1", "0.5.10", "0.6", "0.8.5", "1.0.0"] {
            assert_eq!(check_vector(Some(version), None), Ok(()), "{version}");
            assert_eq!(check_vector(None, Some(version)), Ok(()), "{version}");
        }
        for version in ["0.5.0", "0.4.4", "0.5"] {
            assert!(check_vector(Some(version), None).is_err(), "{version}");
        }
        assert_eq!(check_vector(None, None), Err(Refusal::NoVector));
    }

    #[test]
    fn an_old_vector_is_refused_with_the_way_out() {
        let update = check_vector(Some("0.5.0"), Some("0.8.5")).expect_err("too old");
        assert_eq!(
            update.to_string(),
            "the database has pgvector 0.5.0, but the audit store needs 0.5.1 or newer; run ALTER \
             EXTENSION vector UPDATE in it"
        );
        let install = check_vector(None, Some("0.4.4")).expect_err("too old");
        assert!(
            install
                .to_string()
                .ends_with("install a newer pgvector on the server")
        );
    }
}
