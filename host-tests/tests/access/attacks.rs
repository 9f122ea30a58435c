//! What an attacker tries who reaches the port, with no token or with one of little use.

mod around;
mod identity;
mod methods;
mod paths;
mod smuggling;
mod tokens;

use crate::guarded::Guarded;

/// What the accounts of these tests may do. There is another one, `nobody`, that is known and may do nothing.
const ACCOUNTS: [(&str, &[&str]); 3] = [
    ("reader", &["read"]),
    ("writer", &["write:workflow"]),
    (
        "admin",
        &["admin", "read", "write:workflow", "write:remediation"],
    ),
];

async fn start() -> Guarded {
    let permissions = crate::guarded::table(&ACCOUNTS);
    Guarded::with(&[("permissions", &permissions), ("metrics_auth", "token")]).await
}
