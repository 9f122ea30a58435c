INSERT INTO bench_record (
    kind, id, name, namespace, phase, status, action_type, alert_name, alert_fingerprint, severity,
    environment, cluster_name, target_resource, remediation_request_id, correlation_id, start_time,
    end_time, duration, error_message, metadata
)
SELECT
    'remediation', audit_next_id(), r.name, r.namespace, r.phase, r.status, r.action_type, r.alert_name,
    r.alert_fingerprint, r.severity, r.environment, r.cluster_name, r.target_resource,
    r.remediation_request_id, r.correlation_id, r.start_time, r.end_time, r.duration, r.error_message,
    r.metadata
FROM jsonb_populate_record(NULL::bench_record, $1::text::jsonb) AS r
RETURNING id::text
