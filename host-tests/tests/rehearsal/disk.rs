//! A disk that fills up.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::process::Command;

use database::{Server, connect};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tempfile::TempDir;

/// Room for an empty database and some records.
const SIZE: &str = "size=96m,mode=0777";
/// What a piece of the write-ahead log needs, so that tables meet the limit first.
const LARGEST_FILE: u64 = 16 << 20;

/// A disk of a test's own. Where this process may mount, it is a small file system in memory, which the server has its
/// database on. Elsewhere it is the usual disk, and files of the server's may not grow: that is another error of the
/// operating system's at the same places.
pub(crate) enum Disk {
    /// Mounted on this folder.
    FileSystem(TempDir),
    /// A limit on the size of files.
    FileSize,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", SIZE, "rehearsal"])
            .arg(folder.path());
        match mount.output() {
            Ok(output) if output.status.success() => {
                println!("the full disk is a file system in memory");
                Self::FileSystem(folder)
            }
            output => {
                println!(
                    "no file system can be mounted ({output:?}): the full disk is a limit on the size of files"
                );
                Self::FileSize
            }
        }
    }

    /// Makes the server's database `audit` on it.
    pub(crate) async fn hold(&self, server: &Server) {
        let db = connect(&server.url("postgres")).await.unwrap();
        if let Self::FileSystem(folder) = self {
            let place = folder.path().join("tables");
            let made = server
                .shell("mkdir -m 700 \"$PLACE\"")
                .env("PLACE", &place)
                .status();
            assert!(
                made.unwrap().success(),
                "{} cannot be made",
                place.display()
            );
            let tables = format!("CREATE TABLESPACE disk LOCATION '{}'", place.display());
            db.batch_execute(&tables).await.unwrap();
            db.batch_execute("CREATE DATABASE audit TABLESPACE disk")
                .await
                .unwrap();
        }
    }

    /// Fills it.
    pub(crate) async fn fill(&self, server: &Server) {
        match self {
            Self::FileSystem(folder) => {
                let mut ballast = File::create(folder.path().join("ballast")).unwrap();
                let full = io::copy(&mut io::repeat(0).take(1 << 30), &mut ballast);
                assert_eq!(full.unwrap_err().kind(), ErrorKind::StorageFull);
            }
            Self::FileSize => limit_files(server, Some(LARGEST_FILE)).await,
        }
    }

    /// Makes room.
    pub(crate) async fn free(&self, server: &Server) {
        match self {
            Self::FileSystem(folder) => fs::remove_file(folder.path().join("ballast")).unwrap(),
            Self::FileSize => limit_files(server, None).await,
        }
    }

    /// What the service's log says of it.
    pub(crate) fn in_the_log(&self) -> &'static str {
        match self {
            Self::FileSystem(_) => "the disk of the database is full",
            Self::FileSize => "the database failed with SQLSTATE XX000",
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::FileSystem(folder) = self {
            // A leftover is of no harm but a hundred megabytes.
            let _ = Command::new("umount").arg(folder.path()).status();
        }
    }
}

/// Sets the limit of all of the server's processes. Those that it starts later have it from the first one.
async fn limit_files(server: &Server, size: Option<u64>) {
    let db = connect(&server.url("postgres")).await.unwrap();
    let mut pids = vec![server.pid().unwrap()];
    for row in db
        .query("SELECT pid FROM pg_stat_activity", &[])
        .await
        .unwrap()
    {
        pids.extend(Pid::from_raw(row.get(0)));
    }
    for pid in pids {
        let limit = Rlimit {
            current: size,
            maximum: getrlimit(Resource::Fsize).maximum,
        };
        // One that has ended meanwhile needs none.
        let _ = prlimit(Some(pid), Resource::Fsize, limit);
    }
}
