//! The program itself: two of them at once, as when two replicas start.

use std::process::{Command, Output, Stdio};

use database::TestDatabase;

fn migrate(url: &str, more: &[&str]) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_migrate"))
        .env("DATABASE_URL", url)
        .env_remove("VECTOR_DATABASE_URL")
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program")
}

fn said(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn two_processes_at_once_do_everything_once() {
    let database = TestDatabase::create_empty().await;
    let both = [migrate(database.url(), &[]), migrate(database.url(), &[])];
    let mut said = both.map(|child| said(&child.wait_with_output().expect("an end")));
    said.sort();
    assert!(
        said[0].starts_with("applied tables/0001_tables, "),
        "{said:?}"
    );
    assert!(said[0].contains(", functions: "), "{said:?}");
    assert!(said[1].starts_with("up to date: "), "{said:?}");
}

#[tokio::test]
async fn the_vector_database_gets_the_dimensions_of_the_primary() {
    let database = TestDatabase::create_empty().await;
    let vector_db = TestDatabase::create_empty().await;
    let more = [
        "--vector-database-url",
        vector_db.url(),
        "--embedding-dimensions",
        "768",
    ];
    let output = migrate(database.url(), &more).wait_with_output();
    let said = said(&output.expect("an end"));
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[1].starts_with("vector database applied "), "{said}");
    assert!(
        lines.iter().all(|line| line.ends_with("768 dimensions")),
        "{said}"
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_without_the_password() {
    let output = migrate("postgres://me:hunter2@127.0.0.1:1/store", &[]).wait_with_output();
    let output = output.expect("an end");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        errors.starts_with("error: cannot connect to PostgreSQL at 127.0.0.1:1/store"),
        "{errors}"
    );
    assert!(!errors.contains("hunter2"), "{errors}");
}
