use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

/// A wheel made by hand, and its bytes.
fn example() -> (Wheel, Vec<u8>) {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, mode, text) in [
        ("example/bin/program", 0o700, "#!/bin/sh\n"),
        ("example/data.txt", 0o600, "data\n"),
    ] {
        let options = SimpleFileOptions::default().unix_permissions(mode);
        archive.start_file(name, options).expect("a new entry");
        archive.write_all(text.as_bytes()).expect("its text");
    }
    let bytes = archive.finish().expect("an archive").into_inner();
    let wheel = Wheel {
        requirement: "example==1.0",
        platform: "any",
        sha256: sha256(&bytes).leak(),
        contents: "an example",
    };
    (wheel, bytes)
}

fn put(bytes: &[u8], folder: &Path) -> PathBuf {
    let file = folder.join("example.whl");
    fs::write(&file, bytes).expect("a file");
    file
}

#[test]
fn a_wheel_is_unpacked_for_every_user() {
    let (wheel, bytes) = example();
    let parent = tempfile::tempdir().expect("a folder");
    let folder = wheel
        .unpacked_from(parent.path(), "example", |scratch| Ok(put(&bytes, scratch)))
        .expect("unpacked");
    assert_eq!(
        folder,
        parent
            .path()
            .join(format!("example-{}", &wheel.sha256[..12]))
    );
    let mode = |path: &str| {
        let metadata = fs::metadata(folder.join(path)).expect(path);
        metadata.permissions().mode() & 0o777
    };
    assert_eq!(mode("example/bin/program"), 0o755);
    assert_eq!(mode("example/data.txt"), 0o644);
    assert_eq!(mode("example") & 0o555, 0o555);
}

#[test]
fn another_file_than_the_pinned_one_leaves_nothing_behind() {
    let (wheel, mut bytes) = example();
    *bytes.last_mut().expect("bytes") ^= 1;
    let parent = tempfile::tempdir().expect("a folder");
    let error = wheel
        .unpacked_from(parent.path(), "example", |scratch| Ok(put(&bytes, scratch)))
        .expect_err("a wrong checksum");
    let Error::Checksum { found, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(*found, sha256(&bytes));
    let left: Vec<_> = fs::read_dir(parent.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(left, ["example.lock"]);
}

#[test]
fn what_a_killed_process_left_is_cleared_up() {
    let (wheel, bytes) = example();
    let parent = tempfile::tempdir().expect("a folder");
    let left = parent.path().join("example.unfinished/unpacked");
    fs::create_dir_all(&left).expect("a folder");
    fs::write(left.join("half"), "a file").expect("a file");
    let folder = wheel
        .unpacked_from(parent.path(), "example", |scratch| Ok(put(&bytes, scratch)))
        .expect("unpacked");
    assert!(folder.join("example/data.txt").is_file());
    assert!(!folder.join("half").exists());
    assert!(!parent.path().join("example.unfinished").exists());
}

#[test]
fn many_at_once_fetch_it_once() {
    let (wheel, bytes) = example();
    let parent = tempfile::tempdir().expect("a folder");
    let fetched = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let folder = wheel.unpacked_from(parent.path(), "example", |scratch| {
                    fetched.fetch_add(1, Ordering::Relaxed);
                    Ok(put(&bytes, scratch))
                });
                let data = folder.expect("unpacked").join("example/data.txt");
                assert_eq!(fs::read_to_string(data).expect("data"), "data\n");
            });
        }
    });
    assert_eq!(fetched.into_inner(), 1);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let (wheel, _) = example();
    let error = wheel
        .unpacked(Path::new("/nowhere/at/all"), "example", &|_| {})
        .expect_err("there is no such folder");
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
}

#[test]
fn the_end_of_an_output_skips_empty_lines() {
    assert_eq!(last_lines("a\nb\n\nc\n\n", 2), "b / c");
    assert_eq!(last_lines("", 2), "");
}
