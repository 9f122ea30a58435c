//! The development and the ephemeral server: data, crashes, and ends.

use std::path::Path;
use std::time::Duration;

use database::{Server, ServerOptions, connect};
use tokio_postgres::Client;

async fn client(server: &Server) -> Client {
    connect(&server.url("postgres"))
        .await
        .expect("a connection")
}

fn quiet(_: &str) {}

/// Removes a folder of another user at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("audit-store-test-{name}-{}", std::process::id());
        Self(Path::new("/var/tmp").join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn development_keeps_its_data_between_runs_and_belongs_to_one_process() {
    let folder = Folder::new("keep");
    let options = ServerOptions {
        folder: Some(folder.0.clone()),
        ..ServerOptions::from_env().expect("options")
    };
    let mut server = Server::development(&options, &quiet).expect("started");
    let sql = "CREATE TABLE kept AS SELECT 7 AS n";
    client(&server)
        .await
        .batch_execute(sql)
        .await
        .expect("a table");

    let second = Server::development(&options, &quiet).expect_err("it runs already");
    assert!(
        second.to_string().contains("stop that one first"),
        "{second}"
    );

    server.stop().expect("stopped");
    drop(server);
    let server = Server::development(&options, &quiet).expect("started again");
    let row = client(&server)
        .await
        .query_one("SELECT n FROM kept", &[])
        .await
        .expect("a row");
    assert_eq!(row.get::<_, i32>(0), 7);
    let row = client(&server)
        .await
        .query_one("SHOW fsync", &[])
        .await
        .expect("a setting");
    assert_eq!(row.get::<_, &str>(0), "on");
}

#[tokio::test]
async fn a_killed_server_keeps_its_port_and_every_committed_row() {
    let options = ServerOptions::from_env().expect("options");
    let mut server = Server::ephemeral(&options, &quiet).expect("started");
    let port = server.port();
    let before = client(&server).await;
    before
        .batch_execute("CREATE TABLE written (n int)")
        .await
        .expect("a table");
    for n in 0..200 {
        before
            .execute("INSERT INTO written VALUES ($1)", &[&n])
            .await
            .expect("committed");
    }
    server.kill().expect("killed");
    assert!(before.simple_query("SELECT 1").await.is_err());
    assert!(connect(&server.url("postgres")).await.is_err());

    server.restart().expect("started again");
    assert_eq!(server.port(), port);
    let sql = "SELECT count(*) FROM written";
    let row = client(&server)
        .await
        .query_one(sql, &[])
        .await
        .expect("a count");
    assert_eq!(row.get::<_, i64>(0), 200);
}

#[tokio::test]
async fn a_frozen_server_answers_nobody_until_it_is_thawed() {
    let options = ServerOptions::from_env().expect("options");
    let mut server = Server::ephemeral(&options, &quiet).expect("started");
    let client = client(&server).await;
    server.freeze().expect("frozen");
    let answer = client.simple_query("SELECT 1");
    let patience = Duration::from_millis(300);
    let mut answer = std::pin::pin!(answer);
    // Time itself: a frozen server says nothing however long one waits.
    assert!(tokio::time::timeout(patience, &mut answer).await.is_err());
    server.thaw().expect("thawed");
    answer.await.expect("the answer comes after all");

    server.freeze().expect("frozen");
    server.stop().expect("a frozen server can be stopped");
}

#[tokio::test]
async fn settings_reach_the_server_and_it_listens_on_the_loopback_interface_only() {
    let options = ServerOptions {
        settings: vec![("max_connections".to_owned(), "23".to_owned())],
        ..ServerOptions::from_env().expect("options")
    };
    let server = Server::ephemeral(&options, &quiet).expect("started");
    let sql = "SELECT current_setting('max_connections'), current_setting('listen_addresses'),
                      current_setting('unix_socket_directories')";
    let row = client(&server)
        .await
        .query_one(sql, &[])
        .await
        .expect("settings");
    assert_eq!(row.get::<_, &str>(0), "23");
    assert_eq!(row.get::<_, &str>(1), "127.0.0.1");
    assert_eq!(row.get::<_, &str>(2), "");
}

#[tokio::test]
async fn the_password_is_needed() {
    let options = ServerOptions::from_env().expect("options");
    let server = Server::ephemeral(&options, &quiet).expect("started");
    let wrong = server.url("postgres").replacen("audit:", "audit:x", 1);
    let error = connect(&wrong).await.expect_err("a wrong password");
    assert!(
        error.to_string().contains("password authentication failed"),
        "{error}"
    );
}

#[tokio::test]
async fn a_bad_setting_is_reported_in_postgresqls_words() {
    let options = ServerOptions {
        settings: vec![("no_such_setting".to_owned(), "1".to_owned())],
        ..ServerOptions::from_env().expect("options")
    };
    let error = Server::ephemeral(&options, &quiet).expect_err("refused");
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

#[tokio::test]
async fn an_ephemeral_server_leaves_nothing_behind() {
    let options = ServerOptions::from_env().expect("options");
    let server = Server::ephemeral(&options, &quiet).expect("started");
    let (folder, port) = (server.folder().to_owned(), server.port());
    assert!(folder.is_dir());
    drop(server);
    assert!(!folder.exists());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}
