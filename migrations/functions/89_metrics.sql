-- What metrics ask the database for, at each scrape.

-- How many months to come, at most 24, have all their partitions, the next one first.
CREATE OR REPLACE FUNCTION audit_months_ahead() RETURNS integer
LANGUAGE sql STABLE
RETURN (
    SELECT coalesce(
        min(
            (extract(year FROM first.missing) - extract(year FROM now.month)) * 12
            + extract(month FROM first.missing) - extract(month FROM now.month) - 1
        ),
        24
    )::integer
    FROM (
        SELECT audit_id_time(first_id) AT TIME ZONE 'UTC' AS missing
        FROM audit_missing_partitions(24)
        WHERE first_id > audit_id_at(clock_timestamp())
    ) AS first
    CROSS JOIN (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS month) AS now
);

-- An object with a member for each gauge, those of kinds being objects. Records are what PostgreSQL estimates, hidden ones too, and their
-- room is that of their indexes, too. What may be long is counted up to 10 000: a scrape must cost little when much is wrong.
-- `model` embeds records; nothing waits if it is null.
CREATE OR REPLACE FUNCTION audit_gauges(model text) RETURNS text
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    most CONSTANT integer := 10000;
    size          record;
BEGIN
    SELECT
        jsonb_object_agg(of_kind.kind, of_kind.records) AS records,
        jsonb_object_agg(of_kind.kind, of_kind.bytes) AS bytes
    INTO size
    FROM (
        SELECT
            kind,
            coalesce(sum(greatest(leaf.reltuples, 0)), 0)::bigint AS records,
            coalesce(sum(pg_total_relation_size(leaf.oid)), 0)::bigint AS bytes
        FROM unnest(ARRAY['remediation', 'aianalysis', 'workflow', 'execution']) AS kind
        LEFT JOIN pg_inherits AS month ON month.inhparent = audit_table(kind)
        LEFT JOIN pg_class AS leaf ON leaf.oid = month.inhrelid
        GROUP BY kind
    ) AS of_kind;
    RETURN jsonb_build_object(
        'pending_embeddings', (
            SELECT count(*) FROM (
                (SELECT FROM audit WHERE embedding_model IS NULL AND model IS NOT NULL LIMIT most)
                UNION ALL
                (
                    SELECT FROM audit
                    WHERE embedding_model > '' AND embedding_model < model AND deleted_at IS NULL
                    LIMIT most
                )
                UNION ALL
                (
                    SELECT FROM audit
                    WHERE embedding_model > '' AND embedding_model > model AND deleted_at IS NULL
                    LIMIT most
                )
                LIMIT most
            ) AS pending
        ),
        'outbox_depth', (SELECT count(*) FROM (SELECT FROM audit_outbox LIMIT most) AS entries),
        'projection_lag_events', audit_event_lag(),
        'tail_vectors', (SELECT count(*) FROM (SELECT FROM audit_vector_tail LIMIT most) AS vectors),
        'records', size.records,
        'record_bytes', size.bytes,
        'partitions_ahead_months', audit_months_ahead()
    )::text;
END
$$;
