//! A disk that fills up.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::process::Command;

use database::{Server, connect};
use tempfile::TempDir;

/// Room for an empty database and some records.
const SIZE: &str = "size=96m,mode=0777";

/// A small file system in memory, mounted on this folder. That takes a user who may mount, such as root in CI.
pub(crate) struct Disk(TempDir);

impl Disk {
    /// Nothing if this user may not mount, which is said.
    pub(crate) fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "rehearsal"]);
        let output = mount.arg(folder.path()).output().expect("mount");
        if output.status.success() {
            return Some(Self(folder));
        }
        eprintln!(
            "LEFT OUT: a disk that fills up has to be mounted, which this user may not ({}); run the tests as root",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        None
    }

    /// Makes the server's database `audit` on it.
    pub(crate) async fn hold(&self, server: &Server) {
        let db = connect(&server.url("postgres")).await.unwrap();
        let place = self.0.path().join("tables");
        let mut make = server.shell("mkdir -m 700 \"$PLACE\"");
        assert!(make.env("PLACE", &place).status().unwrap().success());
        for sql in [
            format!("CREATE TABLESPACE disk LOCATION '{}'", place.display()),
            "CREATE DATABASE audit TABLESPACE disk".to_owned(),
        ] {
            db.batch_execute(&sql).await.unwrap();
        }
    }

    /// Fills it.
    pub(crate) fn fill(&self) {
        let mut ballast = File::create(self.0.path().join("ballast")).unwrap();
        let full = io::copy(&mut io::repeat(0).take(1 << 30), &mut ballast);
        assert_eq!(full.unwrap_err().kind(), ErrorKind::StorageFull);
    }

    /// Makes room.
    pub(crate) fn free(&self) {
        fs::remove_file(self.0.path().join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A leftover is of no harm but a hundred megabytes.
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}
