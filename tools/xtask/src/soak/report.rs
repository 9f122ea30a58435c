//! What came of it, in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::fault::Fault;
use super::samples::{FIGURES, Of, Sample, median, trends};
use super::tally::{Latency, Tally};
use super::violations::Violation;

/// More violations than this are counted only.
const LISTED: usize = 50;

/// What became of a fault.
pub(super) struct Outcome {
    pub(super) fault: Fault,
    /// From its beginning to its cure.
    pub(super) lasted: Duration,
    /// How many requests were refused.
    pub(super) refused: u64,
    /// From the cure to the last refusal.
    pub(super) recovered: Duration,
    /// From the rest of the load after that until maintenance had nothing left to do.
    pub(super) made_up: Duration,
}

/// Everything that is reported.
pub(super) struct Report<'a> {
    pub(super) command: String,
    pub(super) took: Duration,
    /// Things done in a second at the beginning, as many as there could be.
    pub(super) capacity: f64,
    pub(super) records: usize,
    pub(super) compared: (usize, u32),
    pub(super) outcomes: &'a [Outcome],
    pub(super) tally: &'a Tally,
    pub(super) samples: &'a [Sample],
    pub(super) violations: Vec<Violation>,
    pub(super) violation_count: usize,
}

impl Report<'_> {
    pub(super) fn to_markdown(&self) -> String {
        let mut text = String::new();
        // Writing into a text does not fail.
        let _ = self.print(&mut text);
        text
    }

    fn print(&self, text: &mut String) -> std::fmt::Result {
        let (asked, missed) = self.tally.searches();
        let (compared, times) = self.compared;
        writeln!(text, "# Soak\n")?;
        writeln!(
            text,
            "By `{}`: {:.1} minutes of load at {:.0} requests per second, half of the {:.0} that there could be at the \
             beginning, and {} faults.\n",
            self.command,
            self.took.as_secs_f64() / 60.0,
            self.capacity / 2.0,
            self.capacity,
            self.outcomes.len(),
        )?;
        writeln!(text, "| | |\n| --- | --- |")?;
        let rows = [
            ("violations", self.violation_count.to_string()),
            ("records acknowledged", self.records.to_string()),
            (
                "requests answered as expected",
                self.tally.answered().to_string(),
            ),
            (
                "requests refused while something was away",
                self.tally.refused().to_string(),
            ),
            (
                "records compared with both databases",
                format!("{compared}, in {times} rests of the load"),
            ),
            (
                "questions without a filter whose record was not among five answers",
                format!("{missed} of {asked}"),
            ),
        ];
        for (name, value) in rows {
            writeln!(text, "| {name} | {value} |")?;
        }
        self.print_faults(text)?;
        print_latencies(text, &self.tally.latencies())?;
        self.print_samples(text)?;
        self.print_violations(text)
    }

    fn print_faults(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\n| fault | times | lasted, s | requests refused | last refusal after the cure, s | made up for within, s |\n\
             | --- | --- | --- | --- | --- | --- |"
        )?;
        let mut by_fault: BTreeMap<Fault, Vec<&Outcome>> = BTreeMap::new();
        for outcome in self.outcomes {
            by_fault.entry(outcome.fault).or_default().push(outcome);
        }
        for (fault, outcomes) in by_fault {
            let refused: u64 = outcomes.iter().map(|outcome| outcome.refused).sum();
            let seconds = |of: fn(&Outcome) -> Duration| {
                let mut all: Vec<_> = outcomes.iter().map(|outcome| of(outcome)).collect();
                all.sort();
                let all = all.iter().map(|time| format!("{:.1}", time.as_secs_f64()));
                all.collect::<Vec<_>>().join(", ")
            };
            writeln!(
                text,
                "| `{}` | {} | {} | {refused} | {} | {} |",
                fault.name(),
                outcomes.len(),
                seconds(|outcome| outcome.lasted),
                seconds(|outcome| outcome.recovered),
                seconds(|outcome| outcome.made_up),
            )?;
        }
        Ok(())
    }

    fn print_samples(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\n| figure | life of the host | first third | last third | may grow by | flat |\n| --- | --- | --- | --- | --- | --- |"
        )?;
        for figure in FIGURES {
            let trends = trends(self.samples, figure.of);
            if trends.is_empty() {
                let name = figure.name;
                writeln!(text, "| {name} | none that was long enough | | | | |")?;
            }
            for (life, trend) in trends {
                let (share, more) = figure.bound;
                writeln!(
                    text,
                    "| {} | {} | {:.1} | {:.1} | {:.0} % and {more} | {} |",
                    figure.name,
                    life + 1,
                    trend.first,
                    trend.last,
                    share * 100.0,
                    if trend.is_flat(figure.bound) {
                        "yes"
                    } else {
                        "**no**"
                    },
                )?;
            }
        }
        writeln!(
            text,
            "\n| figure | at first | median | most | at last |\n| --- | --- | --- | --- | --- |"
        )?;
        let figures: [(&str, Of); 5] = [
            ("memory of the host, MiB", |sample| sample.memory),
            ("open files of the host", |sample| sample.files),
            ("connections to both databases", |sample| sample.connections),
            ("write-ahead log, MiB", |sample| sample.log),
            ("database, MiB", |sample| sample.disk),
        ];
        for (name, of) in figures {
            let values: Vec<f64> = self.samples.iter().map(of).collect();
            let (Some(first), Some(last)) = (values.first(), values.last()) else {
                continue;
            };
            let most = values.iter().copied().fold(0.0, f64::max);
            let middle = median(&values);
            writeln!(
                text,
                "| {name} | {first:.0} | {middle:.0} | {most:.0} | {last:.0} |"
            )?;
        }
        Ok(())
    }

    fn print_violations(&self, text: &mut String) -> std::fmt::Result {
        if self.violations.is_empty() {
            return Ok(());
        }
        writeln!(text, "\n| at, s | while | violation |\n| --- | --- | --- |")?;
        for violation in self.violations.iter().take(LISTED) {
            let what = violation.what.replace('|', "\\|").replace('\n', " ");
            let (at, weather) = (violation.at.as_secs_f64(), &violation.weather);
            writeln!(text, "| {at:.1} | {weather} | {what} |")?;
        }
        Ok(())
    }
}

fn print_latencies(text: &mut String, latencies: &[Latency]) -> std::fmt::Result {
    writeln!(
        text,
        "\n| operation, while nothing was wrong | count | p50, ms | p99, ms | longest, ms |\n| --- | --- | --- | --- | --- |"
    )?;
    for latency in latencies {
        let (name, count) = (latency.operation.name(), latency.count);
        writeln!(
            text,
            "| {name} | {count} | {:.1} | {:.1} | {:.0} |",
            latency.p50, latency.p99, latency.longest
        )?;
    }
    Ok(())
}
