-- Incidents number $1 up to, without, $2 of $3, each of five records within two minutes: evenly over the last
-- twelve months, the oldest first. Sizes and frequencies are those of bench/src/incidents.rs.
WITH incident AS MATERIALIZED (
    SELECT
        g,
        now() - interval '5 minutes' - interval '12 months' * (1 - g::float8 / $3::bigint) AS at,
        (ARRAY['payments', 'checkout', 'catalogue', 'search', 'identity', 'shipping', 'billing', 'platform',
            'data', 'labs'])[1 + floor(power(random(), 2) * 10)::int] AS team,
        (ARRAY['production', 'staging', 'development'])[1 + floor(power(random(), 3) * 3)::int] AS environment,
        (ARRAY['warning', 'critical', 'high', 'medium', 'low', 'info'])[1 + floor(power(random(), 2) * 6)::int] AS severity,
        (ARRAY['KubePodCrashLooping', 'HighMemoryUsage', 'PodOOMKilled', 'KubeDeploymentReplicasMismatch',
            'HighRequestLatency', 'HighErrorRate', 'DiskPressure', 'CertificateExpiring', 'NodeNotReady',
            'ConsumerLag', 'DatabaseConnections', 'QueueBacklog'])[1 + floor(power(random(), 2) * 12)::int] AS alert_name,
        (ARRAY['restart_pod', 'rollback_deployment', 'scale_deployment', 'increase_resources', 'drain_node',
            'collect_diagnostics'])[1 + floor(power(random(), 2) * 6)::int] AS action_type,
        'service-' || floor(power(random(), 2) * 200)::int AS service,
        random() < 0.8 AS succeeded,
        500 + floor(random() * 60000)::bigint AS duration,
        md5(g::text) AS hash
    FROM generate_series($1::bigint, $2::bigint - 1) AS g
), record AS MATERIALIZED (
    SELECT
        i.*,
        s.kind,
        s.step,
        audit_id_at(i.at + s.step * interval '30 s') | ((i.g * 5 + s.step) % 4096) AS id,
        i.at + s.step * interval '30 s' AS step_at,
        'rr-' || i.g AS request,
        'corr-' || i.hash AS correlation
    FROM incident AS i
    CROSS JOIN (VALUES
        (0, 'remediation'), (1, 'aianalysis'), (2, 'workflow'), (3, 'execution'), (4, 'execution')
    ) AS s (step, kind)
), keyed AS (
    INSERT INTO audit_key (kind, key, id)
    SELECT kind, sha256(convert_to(kind || '/' || g || '/' || step, 'UTF8')), id FROM record
), correlated AS (
    INSERT INTO audit_correlation (key, kind, id)
    SELECT key, kind, id FROM record CROSS JOIN unnest(ARRAY[request, correlation]) AS key
)
INSERT INTO audit (
    kind, id, name, namespace, phase, status, action_type, alert_name, alert_fingerprint, severity, environment,
    cluster_name, target_resource, remediation_request_id, correlation_id, start_time, end_time, duration,
    error_message, analysis_type, confidence_score, findings, workflow_type, steps_completed, steps_total, action,
    resource, metadata, document, embedding_model, created_at, updated_at, version, state_rank,
    name_is_stand_in, content_hash
)
SELECT
    kind,
    id,
    service || '-' || left(hash, 8),
    team || '-' || environment,
    CASE WHEN succeeded THEN 'completed' ELSE 'failed' END,
    CASE WHEN succeeded THEN 'success' ELSE 'failure' END,
    CASE WHEN kind = 'remediation' THEN action_type END,
    CASE WHEN kind = 'remediation' THEN alert_name END,
    CASE WHEN kind = 'remediation' THEN left(hash, 16) END,
    CASE WHEN kind = 'remediation' THEN severity END,
    environment,
    environment || '-eu-' || (g % 4),
    CASE WHEN kind IN ('remediation', 'workflow') THEN 'deployment/' || service END,
    request,
    correlation,
    step_at,
    step_at + duration * interval '1 ms',
    duration,
    CASE WHEN NOT succeeded THEN 'back-off 40s restarting failed container ' || service END,
    CASE WHEN kind = 'aianalysis' THEN 'root_cause' END,
    CASE WHEN kind = 'aianalysis' THEN 0.5 + (g % 50) / 100.0 END,
    CASE WHEN kind = 'aianalysis' THEN jsonb_build_object(
        'rootCause', 'release v2.' || g % 20 || ' of ' || service || ' keeps every session in memory',
        'evidence', jsonb_build_array('memory grows since the release', 'restarts follow the load of the day')
    ) END,
    CASE WHEN kind = 'workflow' THEN action_type END,
    CASE WHEN kind = 'workflow' THEN 5 END,
    CASE WHEN kind = 'workflow' THEN 5 END,
    CASE WHEN kind = 'execution' THEN action_type END,
    CASE WHEN kind = 'execution' THEN 'deployment/' || service END,
    jsonb_build_object('attempt', 1 + g % 3, 'source', 'controller', 'trace', hash),
    CASE WHEN kind = 'remediation' THEN jsonb_build_object(
        'reasoning', 'A memory leak in the session cache of ' || service || ' since v2.' || g % 20
            || '. The working set grew for hours before the alert, and restarts follow the load of the day.',
        'labels', jsonb_build_object('app', service, 'team', team, 'tier', 'backend', 'version', 'v2.' || g % 20),
        'annotations', jsonb_build_object('runbook', 'https://runbooks.example/' || alert_name)
    ) ELSE '{}' END,
    NULL,
    audit_id_time(id),
    audit_id_time(id),
    1,
    2,
    false,
    sha256(convert_to(hash || step, 'UTF8'))
FROM record
