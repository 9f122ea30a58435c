//! What redaction must reach, and whether it does.

use corpus::target::{LEAST_OTHERS, LEAST_REQUIRED, MOST_DAMAGED};
use corpus::{REQUIRED, Secrets};

use super::Measured;
use super::made_up::MadeUp;
use super::score::share;
use super::speed::Speed;
use crate::report::Report;

/// Bytes per microsecond, which is MB/s.
const WASM_RATE: f64 = 40.0;

pub(super) fn report(
    measured: &Measured,
    made_up: &MadeUp,
    speed: &Speed,
    wasm: Option<f64>,
) -> Report {
    let mut report = Report::new(&["target", "bound", "measured", "met"]);
    let required = |entry: &Secrets| REQUIRED.contains(&entry.family.as_str());
    let ours = &measured.tools[0].1;
    let recall = |of: &dyn Fn(&Secrets) -> bool| share(ours.recall(&measured.secrets, of));
    least(
        &mut report,
        "recall of the 22 families",
        LEAST_REQUIRED,
        recall(&required),
    );
    least(
        &mut report,
        "recall of the others",
        LEAST_OTHERS,
        recall(&|entry| !required(entry)),
    );
    least(
        &mut report,
        "combinations: recall of the 22 families",
        LEAST_REQUIRED,
        share(made_up.required),
    );
    least(
        &mut report,
        "combinations: recall of the others",
        LEAST_OTHERS,
        share(made_up.others),
    );
    let damage = share(ours.damage(&measured.harmless, |_| true));
    most(&mut report, "harmless texts damaged", MOST_DAMAGED, damage);
    let stored = &measured.own.stored_differs;
    let differs = stored.iter().filter(|it| **it).count();
    most(
        &mut report,
        "harmless texts damaged, markup included",
        MOST_DAMAGED,
        share((stored.len(), differs)),
    );
    let surroundings = share((measured.secrets.len(), measured.own.surroundings));
    most(
        &mut report,
        "texts changed beside their secrets",
        MOST_DAMAGED,
        surroundings,
    );
    let partial = measured.own.partial + made_up.partial;
    none(&mut report, "secrets partly redacted", partial);
    let unstable = measured.own.unstable + made_up.unstable;
    none(&mut report, "texts that a second time changes", unstable);
    match wasm {
        Some(rate) => least(&mut report, "MB/s in Wasm, ordinary logs", WASM_RATE, rate),
        None => row(
            &mut report,
            "MB/s in Wasm, ordinary logs",
            "≥ 40",
            "-",
            None,
        ),
    }
    most(
        &mut report,
        "hostile texts: time per byte, largest / smallest",
        2.0,
        speed.worst_growth(),
    );
    let all = share(ours.recall(&measured.secrets, |_| true));
    for (tool, score) in &measured.tools[1..] {
        let theirs = share(score.recall(&measured.secrets, |_| true));
        let name = tool.name();
        better(
            &mut report,
            &format!("recall, above {name}"),
            all,
            theirs,
            true,
        );
        let theirs = share(score.damage(&measured.harmless, |_| true));
        better(
            &mut report,
            &format!("damage, below {name}"),
            damage,
            theirs,
            false,
        );
    }
    report
}

fn row(report: &mut Report, target: &str, bound: &str, measured: &str, met: Option<bool>) {
    let met = match met {
        Some(true) => "yes",
        Some(false) => "**no**",
        None => "not measured",
    };
    report.row([target, bound, measured, met].map(str::to_owned).into());
}

fn least(report: &mut Report, target: &str, bound: f64, value: f64) {
    let (measured, met) = (format!("{value:.4}"), value >= bound);
    row(report, target, &format!("≥ {bound}"), &measured, Some(met));
}

fn most(report: &mut Report, target: &str, bound: f64, value: f64) {
    let (measured, met) = (format!("{value:.4}"), value <= bound);
    row(report, target, &format!("≤ {bound}"), &measured, Some(met));
}

fn none(report: &mut Report, target: &str, count: usize) {
    row(report, target, "0", &count.to_string(), Some(count == 0));
}

/// Beside a tool's share ours is better, or neither can be bettered.
fn better(report: &mut Report, target: &str, ours: f64, theirs: f64, more: bool) {
    let (bound, met) = if more {
        (format!("> {theirs:.4}"), ours > theirs)
    } else {
        (format!("< {theirs:.4}"), ours < theirs || ours == 0.0)
    };
    row(report, target, &bound, &format!("{ours:.4}"), Some(met));
}
