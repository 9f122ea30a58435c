//! The log: one line per request on standard output, which the host collects.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::Write as _;

use serde::Serialize;

use crate::clock::timestamp;

/// How much is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything.
    Debug,
    /// Every request.
    #[default]
    Info,
    /// What works less well than it should.
    Warn,
    /// What failed.
    Error,
}

impl Level {
    /// The level of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "debug" => Self::Debug,
            "info" => Self::Info,
            "warn" => Self::Warn,
            "error" => Self::Error,
            _ => return None,
        })
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For machines.
    #[default]
    Json,
    /// For people.
    Text,
}

impl Format {
    /// The format of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "json" => Self::Json,
            "text" => Self::Text,
            _ => return None,
        })
    }
}

/// A line with what every line has.
#[derive(Serialize)]
struct Stamp<'a> {
    level: &'static str,
    ts: String,
    #[serde(flatten)]
    line: &'a Line<'a>,
}

/// What one line says. What does not apply is left out.
#[derive(Debug, Serialize, Default)]
pub struct Line<'a> {
    /// What happened; `request` for an answered one.
    pub msg: &'a str,
    /// The id of the request.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub request_id: &'a str,
    /// What the request belongs to.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub correlation_id: &'a str,
    /// The trace that it belongs to.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub trace_id: &'a str,
    /// Its method.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub method: &'a str,
    /// The pattern of its path.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub route: &'a str,
    /// The full user name of who sent it; null where nobody knows, and left out of what is no request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Option<&'a str>>,
    /// The status of its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long it took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    /// The record that was written or read alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// What more there is to say, such as why something failed. It must hold no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

thread_local! {
    /// The least level that is written, and how.
    static SETTINGS: Cell<(Level, Format)> = const { Cell::new((Level::Info, Format::Json)) };
}

/// Sets what this instance logs from now on: lines of `least` and above. Before that it is `info`, as JSON.
pub fn configure(least: Level, format: Format) {
    SETTINGS.set((least, format));
}

/// Writes a line of `level`, unless the configuration asks for less.
pub fn write(level: Level, line: &Line<'_>) {
    let (least, format) = SETTINGS.get();
    if level < least {
        return;
    }
    let stamp = Stamp {
        level: level.as_str(),
        ts: timestamp(),
        line,
    };
    let text = match format {
        Format::Json => serde_json::to_string(&stamp).unwrap_or_default(),
        Format::Text => stamp.for_people(),
    };
    // Not `println!`, which panics if the output is gone: better no log than no service. One write a line, because
    // the host takes each write for a line.
    if cfg!(target_family = "wasm") {
        let _ = std::io::stdout().write_all(format!("{text}\n").as_bytes());
    } else {
        // In a test, which shows it if it fails.
        println!("{text}");
    }
}

/// Logs something that belongs to no request. `docs/logging.md` has every `msg`. `reason` must hold no secret.
pub fn event(level: Level, msg: &str, reason: &str) {
    let line = Line {
        msg,
        reason: Some(reason),
        ..Line::default()
    };
    write(level, &line);
}

impl Stamp<'_> {
    fn for_people(&self) -> String {
        let line = self.line;
        let mut text = format!("{} {:5} {}", self.ts, self.level, line.msg);
        for (name, value) in [
            ("method", line.method),
            ("route", line.route),
            ("identity", line.identity.flatten().unwrap_or_default()),
            ("request_id", line.request_id),
            ("correlation_id", line.correlation_id),
            ("trace_id", line.trace_id),
        ] {
            if !value.is_empty() {
                let _ = write!(text, " {name}={value}");
            }
        }
        if let (Some(status), Some(duration)) = (line.status, line.duration_ms) {
            let _ = write!(text, " status={status} duration_ms={duration}");
        }
        if let Some(id) = line.id {
            let _ = write!(text, " id={id}");
        }
        if let Some(reason) = line.reason {
            let _ = write!(text, " reason={reason:?}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn stamp<'a>(line: &'a Line<'a>) -> Stamp<'a> {
        Stamp {
            level: Level::Info.as_str(),
            ts: "T".into(),
            line,
        }
    }

    fn json(line: &Line<'_>) -> Value {
        serde_json::to_value(stamp(line)).unwrap()
    }

    #[test]
    fn what_does_not_apply_is_left_out() {
        let event = Line {
            msg: "m",
            ..Line::default()
        };
        let expected = json!({"level": "info", "ts": "T", "msg": "m"});
        assert_eq!(json(&event), expected);
        assert_eq!(stamp(&event).for_people(), "T info  m");

        let request = Line {
            msg: "request",
            request_id: "r",
            correlation_id: "c",
            trace_id: "t",
            method: "GET",
            route: "/{id}",
            identity: Some(None),
            status: Some(200),
            duration_ms: Some(1.5),
            id: Some(7),
            reason: Some("why"),
        };
        let expected = json!({
            "level": "info", "ts": "T", "msg": "request", "request_id": "r", "correlation_id": "c", "trace_id": "t",
            "method": "GET", "route": "/{id}", "identity": null, "status": 200, "duration_ms": 1.5, "id": 7, "reason": "why",
        });
        assert_eq!(json(&request), expected);
        assert_eq!(
            stamp(&request).for_people(),
            "T info  request method=GET route=/{id} request_id=r correlation_id=c trace_id=t status=200 duration_ms=1.5 id=7 \
             reason=\"why\""
        );
    }
}
