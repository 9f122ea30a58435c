//! Files, by Rust's standard library.

use std::fs;

use crate::{Answer, Call, failing};

pub(crate) fn run(operation: &str, call: &Call) -> Answer {
    let path = call.argument("path");
    match operation {
        "read" => failing(fs::read_to_string(path)),
        "write" => failing(fs::write(path, &call.body)).map(|()| String::new()),
        "remove" => failing(fs::remove_file(path)).map(|()| String::new()),
        "list" => {
            let entries = failing(fs::read_dir(path))?;
            let names = entries.map(|entry| {
                let entry = failing(entry)?;
                Ok(entry.file_name().to_string_lossy().into_owned())
            });
            let mut names = names.collect::<Result<Vec<_>, String>>()?;
            names.sort();
            Ok(names.join(","))
        }
        _ => Err(format!("no operation {operation:?}")),
    }
}
