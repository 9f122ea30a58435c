-- Finding records by how near their vectors are to another one. A vector is in `audit_vector` and its HNSW
-- indexes, or in `audit_vector_tail`, where it landed; searches look at both, under one snapshot,
-- because all functions here that read are STABLE.
--
-- Where numbers come from: `cargo xtask bench recall` and `tail`, docs/performance.md.

-- Whether HNSW scans go on after `hnsw.ef_search` candidates, as they do since pgvector 0.8. Asked of the
-- library rather than of `pg_extension`, which may be behind it; the caller has loaded it.
CREATE FUNCTION audit_scans_on() RETURNS boolean
LANGUAGE sql STABLE
RETURN current_setting('hnsw.iterative_scan', true) IS NOT NULL;

-- The columns that a filter may compare, as it writes them.
CREATE FUNCTION audit_filterable(a audit) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN jsonb_build_object(
    'name', a.name,
    'namespace', a.namespace,
    'phase', a.phase,
    'status', a.status,
    'action_type', a.action_type,
    'alert_name', a.alert_name,
    'alert_fingerprint', a.alert_fingerprint,
    'severity', a.severity,
    'environment', a.environment,
    'cluster_name', a.cluster_name,
    'remediation_request_id', a.remediation_request_id,
    'correlation_id', a.correlation_id
);

-- What `hnsw.ef_search` must be in each partition so that searching all of them finds what one graph
-- searched with `ef` finds. Measured at 100 000 records, recall@10 of 0.99 takes 100 in one month and 30 in
-- each of twelve: a near record that one graph hides is one of few in it, and they are smaller.
CREATE FUNCTION audit_ef_search(ef integer, wanted integer, since bigint, until bigint) RETURNS integer
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT least(1000, greatest(wanted, round(ef / sqrt(greatest(1, count(*))))))::integer
    FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit_vector'::regclass
        AND c.reltuples > 0
        -- Names end in the month, _YYYY_MM.
        AND right(c.relname, 8) BETWEEN to_char(audit_id_time(since) AT TIME ZONE 'UTC', '_YYYY_MM')
            AND to_char(audit_id_time(until) AT TIME ZONE 'UTC', '_YYYY_MM');
END;

-- A record that a search found.
CREATE TYPE audit_hit AS (kind text, id bigint, distance double precision);

-- The `wanted` records nearest to `probe` among those that match `filter`, by looking at every one of them.
CREATE FUNCTION audit_nearest_exact(probe vector, probe_model text, filter jsonb, wanted integer)
RETURNS SETOF audit_hit
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    -- Materialized, or the planner may take the order from the HNSW indexes, which miss some.
    RETURN QUERY EXECUTE
        'WITH candidate AS MATERIALIZED (
            SELECT v.kind, v.id, v.embedding <=> $1 AS distance
            FROM audit AS a
            JOIN (
                SELECT * FROM audit_vector
                UNION ALL
                SELECT * FROM audit_vector_tail
            ) AS v ON v.kind = a.kind AND v.id = a.id
            WHERE v.model = $2 AND a.deleted_at IS NULL' || audit_conditions(filter) || '
        )
        SELECT kind, id, distance FROM candidate ORDER BY distance, id DESC LIMIT $3'
    USING probe, probe_model, wanted;
END
$$;

-- The same by the indexes, which may miss some, and the tail, which misses none. Fewer than `wanted` if
-- it gives up: HNSW scans end, and a filter may hide whatever is near.
--
-- Plans are generic, because planning takes longer than searching: 30 ms with 12 months. Without the two
-- switches the planner takes a scan and a sort for small tables, and does so for ever.
CREATE FUNCTION audit_nearest_indexed(probe vector, probe_model text, filter jsonb, wanted integer)
RETURNS SETOF audit_hit
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_sort = off
AS $$
DECLARE
    -- Beyond this many candidates looking at every match is quicker.
    patience CONSTANT integer := 20000;
    kinds   text[] := ARRAY(SELECT jsonb_array_elements_text(filter -> 'kinds'));
    since   bigint := coalesce((filter ->> 'since')::bigint, 0);
    until   bigint := coalesce((filter ->> 'until')::bigint, 9223372036854775807);
    equal   jsonb := filter - ARRAY['kinds', 'since', 'until'];
    block   integer := wanted;
    next    audit_hit;
    looked  audit_hit[] := '{}'; -- candidates whose record is not yet checked
    found   audit_hit[] := '{}';
    seen    integer := 0;
    farthest double precision := 'infinity';
BEGIN
    FOR next IN
        SELECT v.kind, v.id, v.embedding <=> probe
        FROM audit_vector AS v
        WHERE v.model = probe_model
            AND (kinds = '{}' OR v.kind = ANY (kinds))
            AND v.id >= since AND v.id < until
        ORDER BY v.embedding <=> probe
    LOOP
        looked := looked || next;
        CONTINUE WHEN cardinality(looked) < block;
        seen := seen + block;
        found := found || audit_matching(looked, equal);
        looked := '{}';
        EXIT WHEN cardinality(found) >= wanted OR seen >= patience;
        block := least(2 * block, 500);
    END LOOP;
    found := found || audit_matching(looked, equal);
    RETURN NEXT next;
END
$$;
