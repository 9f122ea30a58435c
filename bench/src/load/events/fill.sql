-- Remediations number $1 up to, without, $2 of $3, of $4 targets, each with the events of $5: evenly over the last twelve months, the
-- oldest first. The chains look like those that the service makes; their hashes are made up.
WITH template AS MATERIALIZED (
    SELECT
        t.number,
        t.event,
        (t.event -> 'event_data')::text AS data,
        (t.event ->> 'event_timestamp')::timestamptz - min((t.event ->> 'event_timestamp')::timestamptz) OVER () AS after,
        count(*) OVER () AS events
    FROM jsonb_array_elements($5::jsonb) WITH ORDINALITY AS t (event, number)
), remediation AS MATERIALIZED (
    SELECT
        g,
        'rr-' || g AS id,
        now() - interval '1 hour' - interval '12 months' * (1 - g::float8 / $3::bigint) AS at,
        'ns-' || (g % $4::bigint) % 20 AS namespace,
        'service-' || g % $4 AS workload,
        'sha256:' || encode(sha256(convert_to(concat(g % $4, '/', g / $4), 'UTF8')), 'hex') AS before,
        'sha256:' || encode(sha256(convert_to(concat(g % $4, '/', g / $4 + 1), 'UTF8')), 'hex') AS after
    FROM generate_series($1::bigint, $2::bigint - 1) AS g
), written AS MATERIALIZED (
    SELECT
        r.id,
        r.namespace,
        r.workload,
        r.before AS hash_before,
        r.after AS hash_after,
        t.number,
        t.events,
        t.event,
        -- At most 63 events in a millisecond, so the lower bits are in order.
        audit_id_at(r.at + t.after) | ((r.g * 64 + t.number) % 4096) AS sequence,
        date_trunc('second', r.at + t.after) AS at,
        sha256(convert_to(concat(r.id, '/', t.number), 'UTF8')) AS hash,
        sha256(convert_to(concat(r.id, '/', t.number - 1), 'UTF8')) AS hash_of_previous,
        replace(replace(replace(replace(replace(
            t.data, '@id@', r.id), '@ns@', r.namespace), '@wl@', r.workload), '@before@', r.before), '@after@', r.after
        ) AS data
    FROM remediation AS r
    CROSS JOIN template AS t
), chains AS (
    INSERT INTO audit_event_chain (correlation_id, chain_sequence, event_hash, first_sequence, last_sequence, projected)
    SELECT w.id, w.number, w.hash, f.sequence, w.sequence, w.number
    FROM written AS w
    JOIN written AS f ON f.id = w.id AND f.number = 1
    WHERE w.number = w.events
), targets AS (
    INSERT INTO audit_event_target (sequence, correlation_id, target, event_timestamp, cluster_id, spec_hash)
    SELECT
        w.sequence, w.id, audit_event_digest(w.namespace || '/Deployment/' || w.workload), w.at, w.event ->> 'cluster_id',
        audit_event_digest(w.hash_before)
    FROM written AS w
    WHERE w.event ->> 'event_type' = 'remediation.workflow_created'
), hashes AS (
    INSERT INTO audit_event_spec_hash (correlation_id, spec_hash, sequence)
    SELECT w.id, audit_event_digest(w.hash_after), w.sequence
    FROM written AS w
    WHERE w.event ->> 'event_type' = 'effectiveness.hash.computed'
)
INSERT INTO audit_event (
    sequence, chain_sequence, event_timestamp, event_id, retention_days, duration_ms, is_sensitive, readable, clock_skew,
    correlation_id, version, event_type, event_category, event_action, event_outcome, severity, actor_type, actor_id,
    resource_type, resource_id, namespace, cluster_id, hash_algorithm, event_hash, previous_event_hash, event_data
)
SELECT
    w.sequence,
    w.number,
    w.at,
    gen_random_uuid(),
    2555,
    (w.event ->> 'duration_ms')::integer,
    false,
    true,
    false,
    w.id,
    '1.0',
    w.event ->> 'event_type',
    w.event ->> 'event_category',
    w.event ->> 'event_action',
    w.event ->> 'event_outcome',
    'info',
    w.event ->> 'actor_type',
    w.event ->> 'actor_id',
    coalesce(w.event ->> 'resource_type', w.event ->> 'event_category'),
    w.id,
    w.namespace,
    w.event ->> 'cluster_id',
    'SHA-256',
    w.hash,
    CASE WHEN w.number = 1 THEN decode(repeat('00', 32), 'hex') ELSE w.hash_of_previous END,
    w.data::json
FROM written AS w
