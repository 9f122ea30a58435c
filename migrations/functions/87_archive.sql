-- Archives of months, which `cargo xtask archive` writes and `cargo xtask restore` reads back (tools/archive). Vectors are not in
-- them: a restored record is embedded like any other that has none. Events have months as kinds have, and go by the name `events`.
-- What differs for them is in 97_event_archive.sql.

-- Has this session have a month of a kind for itself: nobody else archives, restores or drops it until the session gives it back, or
-- ends.
CREATE OR REPLACE FUNCTION audit_hold_month(record_kind text, record_month date) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT pg_try_advisory_lock(audit_month_key(record_kind, record_month)) THEN
        RAISE EXCEPTION 'the month % % is just being archived or restored by somebody else; try again when that is done',
            record_kind, to_char(record_month, 'YYYY-MM')
            USING ERRCODE = 'AU003';
    END IF;
END
$$;

-- Whether a month of a kind is on its way out: what it had is no longer found, and not yet forgotten everywhere.
CREATE OR REPLACE FUNCTION audit_is_being_dropped(record_kind text, record_month date) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT CASE record_kind
        WHEN 'events' THEN EXISTS (
            SELECT FROM audit_event_leaving AS l WHERE l.gone AND audit_leaf_month(l.leaf) = record_month
        )
        ELSE EXISTS (
            SELECT
            FROM audit_detached AS d
            WHERE audit_leaf_month(d.leaf) = record_month AND coalesce(audit_leaf_kind(d.leaf), record_kind) = record_kind
        )
    END;
END;

-- Begins to archive a month of a kind. From now on it stays until `audit_archive_end`, and it is noted if it changes.
CREATE OR REPLACE FUNCTION audit_archive_begin(record_kind text, record_month date) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    name CONSTANT text := record_kind || ' ' || to_char(record_month, 'YYYY-MM');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit_drop_partitions'));
    IF NOT EXISTS (SELECT FROM audit_archivable() AS a WHERE a.kind = record_kind AND a.month = record_month) THEN
        RAISE EXCEPTION 'the database has no month %', name USING ERRCODE = 'AU003';
    END IF;
    -- Ids are made a moment before their records are stored.
    IF (record_month + interval '1 month') AT TIME ZONE 'UTC' > clock_timestamp() - interval '1 hour' THEN
        RAISE EXCEPTION 'the month % has not ended an hour ago, so there may be more records to come', name
            USING ERRCODE = 'AU003';
    END IF;
    IF record_kind = 'events' THEN
        PERFORM audit_event_archive_begin(record_month);
    END IF;
    PERFORM audit_hold_month(record_kind, record_month);
    INSERT INTO audit_retention AS r (kind, month)
    VALUES (record_kind, record_month)
    ON CONFLICT (kind, month) DO UPDATE SET archived_at = NULL, changed = false;
END
$$;

-- Whether a month of a kind is there at this moment, whatever the transaction sees of others. Who has read of it has a lock by which
-- it stays.
CREATE OR REPLACE FUNCTION audit_has_month(record_kind text, record_month date) RETURNS boolean
LANGUAGE sql VOLATILE
RETURN coalesce(
    CASE record_kind
        WHEN 'events' THEN
            pg_partition_root(to_regclass(to_char(record_month, '"audit_event_"YYYY_MM'))) = 'audit_event'::regclass
        ELSE
            pg_partition_root(to_regclass(audit_table(record_kind)::text || to_char(record_month, '_YYYY_MM')))
                = 'audit'::regclass
    END,
    false
);

-- The transactions that may be changing records of a month. Those that ask later see that it is being archived.
CREATE OR REPLACE FUNCTION audit_month_writers(record_kind text, record_month date) RETURNS text[]
LANGUAGE sql
BEGIN ATOMIC
    SELECT coalesce(array_agg(DISTINCT l.virtualtransaction), '{}')
    FROM audit_archivable() AS m
    JOIN pg_locks AS l ON l.relation = m.leaf::regclass AND l.mode = 'RowExclusiveLock'
    JOIN pg_database AS d ON d.oid = l.database AND d.datname = current_database()
    WHERE m.kind = record_kind AND m.month = record_month;
END;

-- Ends what `audit_archive_begin` began; without a sum if it came to nothing.
CREATE OR REPLACE FUNCTION audit_archive_end(record_kind text, record_month date, count bigint, sum text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE audit_retention AS r
    SET archived_at = clock_timestamp(), records = count, sha256 = sum
    WHERE r.kind = record_kind AND r.month = record_month AND sum IS NOT NULL;
    PERFORM pg_advisory_unlock(audit_month_key(record_kind, record_month));
END
$$;

-- Makes the partitions that a month of a kind lacks. Runs with its owner's rights, as `audit_ensure_partitions`, whose month they
-- are, too: retention could not clear a table of somebody else.
CREATE OR REPLACE FUNCTION audit_make_month(record_kind text, record_month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {{schema}}, pg_temp
AS $$
DECLARE
    suffix   CONSTANT text := to_char(record_month, '_YYYY_MM');
    first_id CONSTANT bigint := audit_id_at(record_month::timestamp AT TIME ZONE 'UTC');
    end_id   CONSTANT bigint := audit_id_at((record_month + interval '1 month') AT TIME ZONE 'UTC');
    parent   text;
BEGIN
    FOREACH parent IN ARRAY CASE record_kind
        WHEN 'events' THEN ARRAY['audit_event']
        ELSE ARRAY[audit_table(record_kind)::text, 'audit_version', 'audit_vector']
    END LOOP
        PERFORM audit_make_partition(parent, parent || suffix, first_id, end_id);
    END LOOP;
END
$$;

-- Begins to restore a month of a kind from the archive of that sum: makes the partitions that are missing, and keeps retention away
-- for `keep`. If there is no record of the month, it is archived from now on as it is in that archive. An archive of another sum than
-- the noted one is refused, unless `other` says that it is meant: then the month is archived no more, and the noted sum stays.
CREATE OR REPLACE FUNCTION audit_restore_begin(
    record_kind text, record_month date, keep interval, count bigint, sum text, at timestamptz, other boolean
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    name     CONSTANT text := record_kind || ' ' || to_char(record_month, 'YYYY-MM');
    first_id CONSTANT bigint := audit_id_at(record_month::timestamp AT TIME ZONE 'UTC');
    end_id   CONSTANT bigint := audit_id_at((record_month + interval '1 month') AT TIME ZONE 'UTC');
    noted    text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit_drop_partitions'));
    IF audit_is_being_dropped(record_kind, record_month) THEN
        RAISE EXCEPTION 'the month % is just being dropped; try again when that is done', name USING ERRCODE = 'AU003';
    END IF;
    SELECT r.sha256 INTO noted FROM audit_retention AS r WHERE r.kind = record_kind AND r.month = record_month;
    IF noted <> sum AND NOT other THEN
        RAISE EXCEPTION 'the database notes the archive with the sum % for the month %, and this one has %; give it that one, or say '
            '--other-archive if this one is meant', noted, name, sum
            USING ERRCODE = 'AU003';
    END IF;
    PERFORM audit_hold_month(record_kind, record_month);
    PERFORM audit_make_month(record_kind, record_month);
    IF record_kind = 'events' THEN
        PERFORM audit_event_restore_begin();
    END IF;

    INSERT INTO audit_retention AS r (kind, month, kept_until, changed)
    VALUES (record_kind, record_month, clock_timestamp() + keep, true)
    ON CONFLICT (kind, month) DO UPDATE
    SET kept_until = greatest(r.kept_until, excluded.kept_until), changed = r.changed OR coalesce(r.sha256 <> sum, false);
    UPDATE audit_retention AS r
    SET archived_at = at, records = count, sha256 = sum, changed = false
    WHERE r.kind = record_kind AND r.month = record_month
        AND coalesce(noted, sum) = sum
        AND CASE record_kind
            WHEN 'events' THEN NOT EXISTS (SELECT FROM audit_event AS e WHERE e.sequence >= first_id AND e.sequence < end_id)
            ELSE NOT EXISTS (SELECT FROM audit AS a WHERE a.kind = record_kind AND a.id >= first_id AND a.id < end_id)
        END;
END
$$;

-- Ends what `audit_restore_begin` began, whatever came of it.
CREATE OR REPLACE FUNCTION audit_restore_end(record_kind text, record_month date) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_advisory_unlock(audit_month_key(record_kind, record_month));
    IF record_kind = 'events' THEN
        PERFORM pg_advisory_unlock(audit_event_restore_key());
    END IF;
END
$$;

-- Whether a record has that natural key; true for one that was archived without any.
CREATE OR REPLACE FUNCTION audit_has_key(record_kind text, record_id bigint, natural_key text) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT natural_key IS NULL OR EXISTS (
        SELECT FROM audit_key AS k WHERE k.kind = record_kind AND k.key = natural_key::bytea AND k.id = record_id
    );
END;

-- Restores lines of an archive: an array of {record, key} and {version, key}. What is there already is left as it is. A record is left
-- out if another one has its natural key by now, or one with another key has its id. Returns {restored, left_out}: records. By
-- the keys of all tables, as in `audit_clear_records`.
CREATE OR REPLACE FUNCTION audit_restore(record_kind text, record_month date, lines jsonb) RETURNS jsonb
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    restored bigint;
    left_out bigint;
BEGIN
    IF EXISTS (
        SELECT
        FROM jsonb_array_elements(lines) AS l (line)
        CROSS JOIN LATERAL (SELECT coalesce(l.line -> 'record', l.line -> 'version')) AS r (entry)
        WHERE r.entry ->> 'kind' IS DISTINCT FROM record_kind
            OR audit_month((r.entry ->> 'id')::bigint) IS DISTINCT FROM record_month
    ) THEN
        RAISE EXCEPTION 'the archive has a line that is not of this month and kind' USING ERRCODE = 'AU003';
    END IF;

    -- In key order, as in `audit_write`. The key of a record that is there is there as well, or the record is another one.
    INSERT INTO audit_key (kind, key, id)
    SELECT record_kind, (l.line ->> 'key')::bytea, (l.line -> 'record' ->> 'id')::bigint
    FROM jsonb_array_elements(lines) AS l (line)
    WHERE l.line ? 'record'
        AND l.line ->> 'key' IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM audit AS a WHERE a.kind = record_kind AND a.id = (l.line -> 'record' ->> 'id')::bigint
        )
    ORDER BY 2
    ON CONFLICT DO NOTHING;

    WITH archived AS MATERIALIZED (
        SELECT
            r.entry,
            NOT audit_has_key(record_kind, (r.entry).id, l.line ->> 'key') AS is_another
        FROM jsonb_array_elements(lines) AS l (line)
        CROSS JOIN LATERAL (SELECT jsonb_populate_record(NULL::audit, l.line -> 'record') AS entry) AS r
        WHERE l.line ? 'record'
    ), stored AS (
        INSERT INTO audit
        SELECT n.*
        FROM archived AS a
        CROSS JOIN LATERAL jsonb_populate_record(a.entry, jsonb_build_object(
            'embedding_model',
            CASE
                WHEN (a.entry).deleted_at IS NOT NULL THEN coalesce((a.entry).embedding_model, '')
                WHEN audit_embedding_parts(a.entry) = '{}' THEN ''
            END
        )) AS n
        WHERE NOT a.is_another
        ON CONFLICT DO NOTHING
        RETURNING kind, id, name, remediation_request_id, correlation_id
    ), correlated AS (
        INSERT INTO audit_correlation (key, kind, id)
        SELECT c.key, s.kind, s.id
        FROM stored AS s
        CROSS JOIN unnest(audit_correlation_keys(s.kind, s.name, s.remediation_request_id, s.correlation_id)) AS c (key)
        ON CONFLICT DO NOTHING
    )
    SELECT (SELECT count(*) FROM stored), (SELECT count(*) FROM archived WHERE is_another) INTO restored, left_out;

    INSERT INTO audit_version
    SELECT v.*
    FROM jsonb_array_elements(lines) AS l (line)
    CROSS JOIN LATERAL jsonb_populate_record(NULL::audit_version, l.line -> 'version') AS v
    JOIN audit AS a ON a.kind = v.kind AND a.id = v.id
    WHERE l.line ? 'version' AND v.version < a.version AND audit_has_key(record_kind, v.id, l.line ->> 'key')
    ON CONFLICT DO NOTHING;

    RETURN jsonb_build_object('restored', restored, 'left_out', left_out);
END
$$;
