-- Partitions appear ahead of time and leave as a whole.

-- What `SET search_path FROM CURRENT` keeps below: the schema of the tables, and temporary tables last,
-- so that nobody's temporary table can stand in for one of ours in a function with its owner's
-- rights.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- The tables that have a partition for each month.
CREATE FUNCTION audit_monthly_tables() RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY[
    'remediation_audit', 'ai_analysis_audit', 'workflow_audit', 'execution_audit',
    'audit_version', 'audit_vector'
];

-- Makes the partitions of the month of `at` and of the `ahead` months after it, where they are
-- missing, and returns how many it made. Cheap when there is nothing to do, safe to call from many
-- places at once. Runs with its owner's rights, so that the service needs none to create tables.
CREATE FUNCTION audit_ensure_partitions(
    ahead integer DEFAULT 3,
    at timestamptz DEFAULT clock_timestamp()
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT
AS $$
DECLARE
    parent text;
    leaf   text;
    start  timestamp;
    made   integer := 0;
BEGIN
    FOREACH parent IN ARRAY audit_monthly_tables() LOOP
        FOR month IN 0..ahead LOOP
            start := date_trunc('month', at AT TIME ZONE 'UTC') + make_interval(months => month);
            leaf := parent || to_char(start, '_YYYY_MM');
            CONTINUE WHEN to_regclass(quote_ident(leaf)) IS NOT NULL;

            -- Asked again once nobody else makes partitions, and of the table this time:
            -- `to_regclass` may still answer from a cache.
            PERFORM pg_advisory_xact_lock(hashtext('audit_ensure_partitions'));
            CONTINUE WHEN EXISTS (
                SELECT
                FROM pg_inherits AS i
                JOIN pg_class AS c ON c.oid = i.inhrelid
                WHERE i.inhparent = parent::regclass AND c.relname = leaf
            );

            -- Created apart and then attached: `PARTITION OF` would lock out every reader and
            -- writer of the parent, `ATTACH` lets them go on.
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS)', leaf, parent);
            EXECUTE format(
                'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                parent, leaf,
                audit_id_at(start AT TIME ZONE 'UTC'),
                audit_id_at((start + interval '1 month') AT TIME ZONE 'UTC')
            );
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;

-- Retention: drops the partitions whose whole month lies before `before` and returns their names.
-- Natural keys stay, so a late replay of a dropped record is recognised and not stored again.
CREATE FUNCTION audit_drop_partitions(before timestamptz) RETURNS SETOF text
LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
    parent  text;
    leaf    text;
    horizon text := to_char(date_trunc('month', before AT TIME ZONE 'UTC'), '_YYYY_MM');
    horizon_id bigint := audit_id_at(date_trunc('month', before AT TIME ZONE 'UTC') AT TIME ZONE 'UTC');
BEGIN
    FOREACH parent IN ARRAY audit_monthly_tables() LOOP
        FOR leaf IN
            SELECT c.relname
            FROM pg_inherits AS i
            JOIN pg_class AS c ON c.oid = i.inhrelid
            WHERE i.inhparent = parent::regclass
                AND c.relname < parent || horizon
            ORDER BY c.relname
        LOOP
            EXECUTE format('DROP TABLE %I', leaf);
            RETURN NEXT leaf;
        END LOOP;
    END LOOP;
    DELETE FROM audit_correlation WHERE id < horizon_id;
    DELETE FROM audit_vector_tail WHERE id < horizon_id;
    DELETE FROM audit_outbox WHERE id < horizon_id;
END
$$;

SELECT audit_ensure_partitions();
