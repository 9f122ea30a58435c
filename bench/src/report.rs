//! Figures, as a table for people and as JSON for programs.

use std::env;
use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// A table and what is to be said about it.
#[derive(Debug)]
pub(crate) struct Report {
    columns: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    remarks: Vec<String>,
}

impl Report {
    pub(crate) fn new(columns: &[&'static str]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
            remarks: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        eprintln!("    {}", cells.join(", "));
        self.rows.push(cells);
    }

    pub(crate) fn remark(&mut self, remark: String) {
        self.remarks.push(remark);
    }

    pub(crate) fn print(&self) {
        println!("| {} |", self.columns.join(" | "));
        println!("|{}", " --- |".repeat(self.columns.len()));
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
        for remark in &self.remarks {
            println!("\n{remark}");
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let cells = self.columns.iter().zip(row);
                let cell = |(name, text): (&&str, &String)| ((*name).to_owned(), value(text));
                Value::Object(cells.map(cell).collect::<Map<_, _>>())
            })
            .collect();
        json!({"rows": rows, "remarks": self.remarks})
    }
}

/// Prints where the tables that follow come from, because a figure without its command and commit says nothing.
pub(crate) fn origin() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let command = ["cargo xtask bench".to_owned()]
        .into_iter()
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ");
    let commit = commit().unwrap_or_else(|| "an unknown commit".to_owned());
    let cores = thread::available_parallelism().map_or(0, NonZero::get);
    println!("`{command}`, {commit}, {cores} cores:\n");
}

/// The commit of this checkout, and whether anything differs from it.
fn commit() -> Option<String> {
    let output = Command::new("git")
        .args(["describe", "--always", "--dirty=, changed"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| format!("commit {text}"))
}

/// Writes figures to the file that was asked for.
pub(crate) fn save(file: Option<&Path>, figures: &Value) -> Result<()> {
    let Some(file) = file else {
        return Ok(());
    };
    fs::write(file, format!("{figures:#}\n"))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// A number where the cell is one.
fn value(text: &str) -> Value {
    text.parse::<f64>()
        .map_or_else(|_| text.into(), |number| json!(number))
}
