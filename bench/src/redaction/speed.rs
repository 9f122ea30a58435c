//! How long redaction takes: on ordinary logs, and on texts that are made to take long.

use std::hint::black_box;
use std::time::Instant;

use audit::redact;
use corpus::{Chance, Harmless};

use super::logs;
use crate::report::Report;

/// What follows upon itself in hostile texts: beginnings of what is looked for, without an end.
const HOSTILE: [&str; 20] = [
    "password=",
    "password: \"",
    "\"password\":\"",
    "token ",
    "secret:\n",
    "://",
    "https://a:",
    "a:b@",
    "eyJ",
    "eyJhbGci.",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----\n",
    "kind: Secret\ndata:\n",
    "{\"kind\":\"Secret\",",
    "\\\"",
    "\\\\\\",
    "<password>",
    "--password ",
    "\u{1b}[0m",
    "[\"--password\",",
];
/// So many bytes are redacted at once.
const TEXT: usize = 65_536;
/// A text that takes longer than this ends the growth of its kind.
const PATIENCE: f64 = 3.0;

/// What was measured natively.
pub(super) struct Speed {
    /// The text that stands for ordinary logs.
    pub(super) ordinary: String,
    /// Bytes per microsecond: of that text, of lines of the corpus, which come near to having a secret, of each harmless text by itself.
    whole: f64,
    near: f64,
    single: (usize, f64),
    /// Nanoseconds per byte by size.
    hostile: Vec<(&'static str, Vec<(usize, f64)>)>,
}

pub(super) fn measure(harmless: &[Harmless], quick: bool) -> Speed {
    let ordinary = logs::ordinary(TEXT);
    let near = near_misses(harmless);
    let rounds = if quick { 3 } else { 15 };
    let whole = rate(
        ordinary.len(),
        fastest(rounds, || drop(black_box(redact(&ordinary)))),
    );
    let near = rate(
        near.len(),
        fastest(rounds, || drop(black_box(redact(&near)))),
    );
    let bytes = harmless.iter().map(|it| it.text.len()).sum();
    let single = fastest(rounds, || {
        for entry in harmless {
            black_box(redact(&entry.text));
        }
    });
    let sizes: &[usize] = if quick {
        &[2048, 8192]
    } else {
        &[16_384, 65_536, 262_144]
    };
    Speed {
        whole,
        near,
        single: (bytes, rate(bytes, single)),
        hostile: HOSTILE.map(|piece| (piece, growth(piece, sizes))).into(),
        ordinary,
    }
}

impl Speed {
    /// How many times as long a byte takes in the largest hostile text as in the smallest one.
    pub(super) fn worst_growth(&self) -> f64 {
        self.hostile
            .iter()
            .map(|(_, times)| ratio(times))
            .fold(0.0, f64::max)
    }

    pub(super) fn report(&self, wasm: Option<f64>) -> Report {
        let mut report = Report::new(&["text", "bytes", "ns per byte", "MB/s"]);
        let mut row = |text: String, bytes: usize, rate: f64| {
            report.row(vec![
                text,
                bytes.to_string(),
                format!("{:.2}", 1000.0 / rate),
                format!("{rate:.1}"),
            ]);
        };
        let bytes = self.ordinary.len();
        row("ordinary logs, native".to_owned(), bytes, self.whole);
        if let Some(rate) = wasm {
            row("ordinary logs, Wasm".to_owned(), bytes, rate);
        }
        row("lines of the corpus, native".to_owned(), TEXT, self.near);
        let (bytes, rate) = self.single;
        row("harmless texts one by one, native".to_owned(), bytes, rate);
        for (piece, times) in &self.hostile {
            for (bytes, nanoseconds) in times {
                row(
                    format!("`{}` again and again", piece.escape_debug()),
                    *bytes,
                    1000.0 / nanoseconds,
                );
            }
        }
        report
    }
}

fn ratio(times: &[(usize, f64)]) -> f64 {
    match times {
        [(_, first), .., (_, last)] => last / first,
        _ => f64::INFINITY,
    }
}

/// Lines of the corpus, in an order that the seed decides.
fn near_misses(harmless: &[Harmless]) -> String {
    let lines: Vec<&str> = harmless
        .iter()
        .filter(|it| ["logs", "kubectl", "ci", "traces", "records"].contains(&it.kind.as_str()))
        .flat_map(|it| it.text.lines())
        .collect();
    let mut chance = Chance::seeded(3);
    let mut text = String::new();
    while text.len() < TEXT {
        text.push_str(lines[chance.below(lines.len())]);
        text.push('\n');
    }
    text
}

fn growth(piece: &str, sizes: &[usize]) -> Vec<(usize, f64)> {
    let mut times = Vec::new();
    for size in sizes {
        let text = piece.repeat(size / piece.len());
        let seconds = fastest(3, || drop(black_box(redact(&text))));
        times.push((text.len(), 1000.0 / rate(text.len(), seconds)));
        if seconds > PATIENCE {
            break;
        }
    }
    times
}

fn fastest(rounds: usize, run: impl Fn()) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..rounds {
        let start = Instant::now();
        run();
        least = least.min(start.elapsed().as_secs_f64());
        if least > PATIENCE {
            break;
        }
    }
    least
}

/// Bytes per microsecond.
#[expect(clippy::cast_precision_loss, reason = "thousands")]
pub(super) fn rate(bytes: usize, seconds: f64) -> f64 {
    bytes as f64 / (seconds * 1e6)
}
