//! What happened: a deployment ran out of memory twice, and another one became slow.

use std::time::{SystemTime, UNIX_EPOCH};

use kubernaut_services::{Origin, Outcome, Remediation, spec_hash};

/// Three remediations of the last hours, the oldest first. The first one failed; the last one is of the same deployment, and helped.
pub(super) fn remediations() -> [Remediation; 3] {
    let now = SystemTime::now();
    let run = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    // Each begins with the specification that the one before it left.
    let spec = |version: u8| spec_hash(&format!("cart-api of {run}, version {version}"));
    let of = |number: u8, minutes: u64| {
        let began = now - std::time::Duration::from_secs(minutes * 60);
        Remediation::of(&format!("rr-demo-{run}-{number}"), began.into())
    };
    [
        Remediation {
            workflow: "restart-workload".to_owned(),
            action: "RestartWorkload".to_owned(),
            spec: [spec(1), spec(2)],
            outcome: Outcome::Failed,
            ..of(1, 150)
        },
        Remediation {
            alert: "HighRequestLatency".to_owned(),
            severity: "high".to_owned(),
            namespace: "billing".to_owned(),
            workload: "invoice-worker".to_owned(),
            workflow: "scale-out".to_owned(),
            action: "ScaleOut".to_owned(),
            cause: "the queue of invoice-worker grows faster than its two replicas empty it"
                .to_owned(),
            origin: Origin::Console,
            ..of(2, 90)
        },
        Remediation {
            spec: [spec(2), spec(3)],
            ..of(3, 30)
        },
    ]
}

/// What somebody asks who remembers neither words nor names.
pub(super) fn question() -> String {
    "Which service was killed because it needed more memory than it may use?".to_owned()
}
