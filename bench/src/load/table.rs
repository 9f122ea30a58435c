//! Figures as tables.

use super::figures::Figures;
use super::measure::Outcome;
use super::operation::Operation;
use super::servers::Subject;

/// A measurement, as soon as it is made.
pub(crate) fn progress(
    subject: Subject,
    operation: Operation,
    connections: usize,
    outcome: &Outcome,
) {
    eprintln!(
        "    {:16} c{connections:<4} {:8} {:8.0}/s  p50 {:.2}  p95 {:.2}  p99 {:.2}  max {:.1} ms",
        operation.key(),
        subject.key(),
        outcome.requests,
        outcome.p50,
        outcome.p95,
        outcome.p99,
        outcome.max
    );
}

/// Everything.
pub(crate) fn print(figures: &Figures) {
    println!(
        "| operation | connections | server | per second | spread | p50 ms | p95 ms | p99 ms | max ms | errors \
         | CPU ms | CPU ms of PostgreSQL | peak MiB |"
    );
    println!("|{}", " --- |".repeat(13));
    for key in figures.keys() {
        for subject in Subject::ALL {
            if !figures.outcomes(key, subject).is_empty() {
                println!("{}", row(figures, key, subject));
            }
        }
    }
    println!("\n| operation | connections | vs bare | vs native |\n| --- | --- | --- | --- |");
    for key in figures.keys() {
        let ratio = |to| {
            let ratio = figures.ratio(key, to);
            ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
        };
        println!(
            "| {} | {} | {} | {} |",
            key.0.key(),
            key.1,
            ratio(Subject::Bare),
            ratio(Subject::Native)
        );
    }
}

fn row(figures: &Figures, key: (Operation, usize), subject: Subject) -> String {
    let median =
        |figure: fn(&Outcome) -> f64| figures.median(key, subject, figure).unwrap_or(f64::NAN);
    let operation = match subject {
        Subject::Bare => format!("{} ({})", key.0.key(), key.0.bare().key()),
        _ => key.0.key().to_owned(),
    };
    format!(
        "| {operation} | {} | {} | {:.0} | {} | {:.2} | {:.2} | {:.2} | {:.1} | 0 | {:.3} | {:.3} | {:.0} |",
        key.1,
        subject.key(),
        figures.throughput(key, subject).unwrap_or(f64::NAN),
        spread(figures.outcomes(key, subject)),
        median(|outcome| outcome.p50),
        median(|outcome| outcome.p95),
        median(|outcome| outcome.p99),
        median(|outcome| outcome.max),
        median(|outcome| outcome.server_cpu),
        median(|outcome| outcome.database_cpu),
        median(|outcome| outcome.peak),
    )
}

/// From the slowest to the fastest run, in percent of the slowest.
fn spread(outcomes: &[Outcome]) -> String {
    let rates = outcomes.iter().map(|outcome| outcome.requests);
    let least = rates.clone().fold(f64::INFINITY, f64::min);
    let most = rates.fold(0.0, f64::max);
    format!("{:.0} %", (most / least - 1.0) * 100.0)
}
