//! The log: one line per request on standard output, which the host collects.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::Config;

/// How much is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

impl Level {
    pub(crate) fn parse(text: &str) -> Option<Self> {
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
pub(crate) enum Format {
    #[default]
    Json,
    /// For people.
    Text,
}

impl Format {
    pub(crate) fn parse(text: &str) -> Option<Self> {
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
#[derive(Serialize, Default)]
pub(crate) struct Line<'a> {
    pub msg: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub request_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub correlation_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub method: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub route: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

/// Writes a line of `level`, unless the configuration asks for less. Without a configuration, as
/// JSON.
pub(crate) fn write(config: Option<&Config>, level: Level, line: &Line<'_>) {
    let (least, format) = config.map_or((Level::Info, Format::Json), |config| {
        (config.log_level, config.log_format)
    });
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
    // Not `println!`, which panics if the output is gone: better no log than no service.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Logs something that belongs to no request. `reason` must hold no secret.
pub fn log_event(config: &Config, msg: &str, reason: &str) {
    let line = Line {
        msg,
        reason: Some(reason),
        ..Line::default()
    };
    write(Some(config), Level::Warn, &line);
}

impl Stamp<'_> {
    fn for_people(&self) -> String {
        let line = self.line;
        let mut text = format!("{} {:5} {}", self.ts, self.level, line.msg);
        for (name, value) in [
            ("method", line.method),
            ("route", line.route),
            ("request_id", line.request_id),
            ("correlation_id", line.correlation_id),
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

/// The current time as the service writes it.
pub fn timestamp() -> String {
    now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The current time.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::<Utc>::from(SystemTime::now())
}
