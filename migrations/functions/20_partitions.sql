-- Partitions appear ahead of time. 83_months.sql has which leave, and 85_retention.sql how.
--
-- Functions with their owner's rights look for tables in the schema of ours first and among temporary tables last, so that
-- nobody's temporary table can stand in for one of ours.

-- The tables that have a partition for each month.
CREATE OR REPLACE FUNCTION audit_monthly_tables() RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY[
    'remediation_audit', 'ai_analysis_audit', 'workflow_audit', 'execution_audit',
    'audit_version', 'audit_vector',
    'audit_event'
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

-- Has statements that would empty a table of events fail. Triggers of statements are not handed down to partitions.
CREATE OR REPLACE FUNCTION audit_protect(leaf text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER audit_event_stays_whole BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION audit_event_stays()',
        leaf
    );
END
$$;

-- Makes a partition for the ids from `first_id` up to `end_id`; false if it is there already.
CREATE OR REPLACE FUNCTION audit_make_partition(parent text, leaf text, first_id bigint, end_id bigint) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
    -- Asked once nobody else makes partitions, and of the table: `to_regclass` may still answer from a cache.
    PERFORM pg_advisory_xact_lock(hashtext('audit_ensure_partitions'));
    IF EXISTS (
        SELECT
        FROM pg_inherits AS i
        JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = parent::regclass AND c.relname = leaf
    ) THEN
        RETURN false;
    END IF;

    -- Created apart and then attached: `PARTITION OF` would lock out every reader and
    -- writer of the parent, `ATTACH` lets them go on.
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS)', leaf, parent);
    IF parent = 'audit_event' THEN
        PERFORM audit_protect(leaf);
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', parent, leaf, first_id, end_id);
    RETURN true;
END
$$;

-- Makes the partitions that `audit_missing_partitions` names, and returns how many it made. Cheap when there is
-- nothing to do, safe to call from many places at once. Runs with its owner's rights, so that the service needs none
-- to create tables. It holds the locks of all that it makes until its end: without a limit it would take all locks that the
-- server has, and everybody else's statements would fail.
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
    IF ahead > 60 THEN
        RAISE EXCEPTION 'partitions are made at most 60 months ahead, not %', ahead
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR missing IN SELECT * FROM audit_missing_partitions(ahead, at) LOOP
        made := made + audit_make_partition(missing.parent, missing.leaf, missing.first_id, missing.end_id)::integer;
    END LOOP;
    RETURN made;
END
$$;

SELECT audit_ensure_partitions();
