-- Partitions appear ahead of time and leave as a whole.
--
-- Both functions that make or drop tables look for them in the schema of the tables first and among temporary tables
-- last, so that nobody's temporary table can stand in for one of ours in a function with its owner's rights.

-- The tables that have a partition for each month.
CREATE OR REPLACE FUNCTION audit_monthly_tables() RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY[
    'remediation_audit', 'ai_analysis_audit', 'workflow_audit', 'execution_audit',
    'audit_version', 'audit_vector'
];

-- The partitions that are missing for the month of `at` and the `ahead` months after it: each one's parent, name and
-- bounds, which are the lowest ids of its month and of the one after.
CREATE OR REPLACE FUNCTION audit_missing_partitions(
    ahead integer DEFAULT 3,
    at timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (parent text, leaf text, first_id bigint, end_id bigint)
LANGUAGE sql STABLE SET search_path = {{schema}}, pg_temp
BEGIN ATOMIC
    SELECT p.parent, p.parent || m.suffix, m.first_id, m.end_id
    FROM unnest(audit_monthly_tables()) WITH ORDINALITY AS p (parent, position)
    CROSS JOIN (
        SELECT
            to_char(start, '_YYYY_MM') AS suffix,
            audit_id_at(start AT TIME ZONE 'UTC') AS first_id,
            audit_id_at((start + interval '1 month') AT TIME ZONE 'UTC') AS end_id
        FROM generate_series(0, ahead) AS month
        CROSS JOIN LATERAL (
            SELECT date_trunc('month', at AT TIME ZONE 'UTC') + make_interval(months => month)
        ) AS s (start)
    ) AS m
    WHERE to_regclass(p.parent || m.suffix) IS NULL
    ORDER BY p.position, m.first_id;
END;

-- Makes the partitions that `audit_missing_partitions` names, and returns how many it made. Cheap when there is
-- nothing to do, safe to call from many places at once. Runs with its owner's rights, so that the service needs none
-- to create tables.
CREATE OR REPLACE FUNCTION audit_ensure_partitions(
    ahead integer DEFAULT 3,
    at timestamptz DEFAULT clock_timestamp()
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {{schema}}, pg_temp
AS $$
DECLARE
    missing record;
    made    integer := 0;
BEGIN
    FOR missing IN SELECT * FROM audit_missing_partitions(ahead, at) LOOP
        -- Asked again once nobody else makes partitions, and of the table this time:
        -- `to_regclass` may still answer from a cache.
        PERFORM pg_advisory_xact_lock(hashtext('audit_ensure_partitions'));
        CONTINUE WHEN EXISTS (
            SELECT
            FROM pg_inherits AS i
            JOIN pg_class AS c ON c.oid = i.inhrelid
            WHERE i.inhparent = missing.parent::regclass AND c.relname = missing.leaf
        );

        -- Created apart and then attached: `PARTITION OF` would lock out every reader and
        -- writer of the parent, `ATTACH` lets them go on.
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS)', missing.leaf, missing.parent);
        EXECUTE format(
            'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
            missing.parent, missing.leaf, missing.first_id, missing.end_id
        );
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- Retention, step by step, each a short transaction of its own, so that nobody waits for its locks: takes one partition
-- whose whole month lies before `before` out of its table, or deletes what 1000 of the records taken out left elsewhere,
-- or drops a table of which nothing is left elsewhere. Returns what it did, for the log; null if there is nothing to do.
-- Natural keys stay, so a late replay of a dropped record is recognised and not stored again.
--
-- Taking a partition out locks its table for a moment. It waits for that no longer than `lock_timeout`, which the caller
-- sets, since everybody else would wait behind it; then it fails and is to be tried again.
CREATE OR REPLACE FUNCTION audit_drop_step(before timestamptz) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    horizon     CONSTANT text := to_char(date_trunc('month', before AT TIME ZONE 'UTC'), '_YYYY_MM');
    month       record;
    detached    audit_detached;
    last_id     bigint; -- of the records whose traces this step deletes
    record_kind text;
BEGIN
    SELECT * INTO detached FROM audit_detached ORDER BY leaf LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF detached.leaf IS NULL THEN
        SELECT p.parent, c.relname AS leaf INTO month
        FROM unnest(audit_monthly_tables()) WITH ORDINALITY AS p (parent, position)
        JOIN pg_inherits AS i ON i.inhparent = p.parent::regclass
        JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE c.relname < p.parent || horizon
        ORDER BY p.position, c.relname
        LIMIT 1;
        IF month.leaf IS NULL THEN
            RETURN NULL;
        END IF;
        EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', month.parent, month.leaf);
        INSERT INTO audit_detached (leaf) VALUES (month.leaf);
        RETURN 'detached ' || month.leaf;
    END IF;

    IF EXISTS (
        SELECT FROM pg_attribute AS a WHERE a.attrelid = detached.leaf::regclass AND a.attname = 'correlation_id'
    ) THEN
        EXECUTE format(
            'SELECT max(id), min(kind) FROM (SELECT kind, id FROM %I WHERE id > $1 ORDER BY kind, id LIMIT 1000) AS a',
            detached.leaf
        ) INTO last_id, record_kind USING detached.after;
    END IF;
    IF last_id IS NULL THEN
        EXECUTE format('DROP TABLE %I', detached.leaf);
        DELETE FROM audit_detached AS d WHERE d.leaf = detached.leaf;
        RETURN 'dropped ' || detached.leaf;
    END IF;
    EXECUTE format(
        'DELETE FROM audit_correlation AS c
         USING %I AS a, unnest(audit_correlation_keys(a.kind, a.name, a.remediation_request_id, a.correlation_id)) AS k (key)
         WHERE a.kind = $1 AND a.id > $2 AND a.id <= $3 AND c.key = k.key AND c.kind = a.kind AND c.id = a.id',
        detached.leaf
    ) USING record_kind, detached.after, last_id;
    DELETE FROM audit_vector_tail AS t WHERE t.kind = record_kind AND t.id > detached.after AND t.id <= last_id;
    DELETE FROM audit_outbox AS o WHERE o.kind = record_kind AND o.id > detached.after AND o.id <= last_id;
    DELETE FROM audit_embedding_refusal AS r
    WHERE r.kind = record_kind AND r.id > detached.after AND r.id <= last_id;
    UPDATE audit_detached AS d SET after = last_id WHERE d.leaf = detached.leaf;
    RETURN 'cleared ' || detached.leaf;
END
$$;

-- All steps, one after the other: `CALL audit_drop_partitions('2026-01-01')`, outside of a transaction. A step that finds
-- its table in use is tried again, without an end.
CREATE OR REPLACE PROCEDURE audit_drop_partitions(before timestamptz)
LANGUAGE plpgsql
AS $$
DECLARE
    step text;
BEGIN
    LOOP
        BEGIN
            SET LOCAL lock_timeout = '50ms';
            step := audit_drop_step(before);
        EXCEPTION WHEN lock_not_available THEN
            step := 'waiting';
        END;
        COMMIT;
        EXIT WHEN step IS NULL;
        IF step = 'waiting' THEN
            PERFORM pg_sleep(0.1);
        END IF;
    END LOOP;
END
$$;

SELECT audit_ensure_partitions();
