//! Moves vectors from the tail, which searches scan, to where they are indexed.

use postgres::{Database, Failure, Parameter, Session};

/// Vectors per statement: some 100 ms of inserting into the HNSW index.
const STEP: i32 = 100;

/// Statements of one run. More would keep an instance from being given up when it is idle.
const STEPS: u32 = 20;

/// Moves some of them, as long as `audit_move_tail` sees a reason to.
pub(crate) async fn shorten(database: &Database) -> Result<(), Failure> {
    let session = Session::open(database).await?;
    for _ in 0..STEPS {
        let moved = session
            .text(
                "SELECT audit_move_tail($1)::text",
                &[Parameter::Int32(STEP)],
            )
            .await?;
        if moved.is_none_or(|moved| moved == "0") {
            break;
        }
    }
    Ok(())
}
