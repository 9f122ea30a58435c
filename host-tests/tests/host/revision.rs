//! Every file of the host says which revision of Spin it follows, and in which of Spin's files, so that
//! a reader can compare the two and an upgrade knows where to look.

use std::fs;
use std::path::{Path, PathBuf};

/// How a file that copies Spin's behaviour says so, before the paths.
const FOLLOWS: &str = "It follows Spin 4.1.0-pre0, commit 94a8fc8a7804: ";
/// How the others say it.
const ITS_OWN: &str = "It copies nothing of Spin.";

#[test]
fn every_file_says_which_spin_it_follows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let head: Vec<_> = text
            .lines()
            .map_while(|line| line.strip_prefix("//!"))
            .collect();
        let head = head.concat();
        let paths = head.split_once(FOLLOWS).map(|(_, paths)| paths);
        match paths {
            None => assert!(
                head.contains(ITS_OWN),
                "{} says neither which Spin it follows nor that it follows none",
                file.display()
            ),
            Some(paths) => {
                let named: Vec<_> = paths.split('`').skip(1).step_by(2).collect();
                assert!(
                    !named.is_empty(),
                    "{} names no file of Spin",
                    file.display()
                );
                for path in named {
                    assert!(
                        path.starts_with("crates/")
                            && Path::new(path)
                                .extension()
                                .is_some_and(|extension| extension == "rs"),
                        "{}: {path:?} is not a file of Spin",
                        file.display()
                    );
                }
            }
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
