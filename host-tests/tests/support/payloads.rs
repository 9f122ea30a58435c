//! Records as clients send them. The field names are the clients', the values are made up.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// A word that no other test and no earlier run has used: a namespace, an id, a part of a name.
pub fn fresh(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanoseconds = since.expect("a clock after 1970").as_nanos();
    let run = u64::try_from(nanoseconds % 0xffff_ffff_ffff).expect("48 bits");
    format!("{prefix}-{run:012x}-{count:x}")
}

/// A remediation in snake_case.
pub fn remediation(namespace: &str, request_id: &str) -> Value {
    json!({
        "name": "restart-payment-api",
        "namespace": namespace,
        "phase": "completed",
        "action_type": "restart_pod",
        "status": "success",
        "start_time": "2025-11-05T10:00:00Z",
        "end_time": "2025-11-05T10:00:45Z",
        "duration": 45000,
        "remediation_request_id": request_id,
        "alert_fingerprint": "3f2a9c",
        "severity": "critical",
        "environment": "production",
        "cluster_name": "eu-1",
        "target_resource": "deployment/payment-api",
        "error_message": null,
        "metadata": {}
    })
}
