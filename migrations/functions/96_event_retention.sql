-- Retention of events: they leave by months, once each of them has been kept as long as it says. Nothing is deleted from the log. A
-- month's partition is taken out of it, and one with those that are held takes its place, if there are any. What a chain loses is
-- noted in it, so that it can still be verified.
--
-- A chain loses its oldest events only: of one that has older events, what it has in a month waits for these.
--
-- As in 85_retention.sql, each step is a short transaction of its own, and a table that is in use is left alone for a while:
--   1. The month is noted as leaving. From now on whoever writes an event into it undoes that.
--   2. Its events are seen to, 2000 after 2000. Those that stay are copied into a table beside it; of the others, the last one of
--      each chain is noted.
--   3. The partition is taken out, unless an event came to it, or a hold was placed or released meanwhile: then it begins anew.
--   4. The notes go into the chains, and what the events left elsewhere is deleted, for at most 200 chains at a time.
--   5. The partition is dropped.

-- The advisory lock of whoever restores events. Meanwhile none leave.
CREATE OR REPLACE FUNCTION audit_event_restore_key() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtextextended('audit_event_restore', 0);

-- Whether there is a step to be taken.
CREATE OR REPLACE FUNCTION audit_event_retention_due(keep jsonb, archived_only boolean) RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF audit_rests('audit_event') THEN
        RETURN false;
    END IF;
    RETURN EXISTS (SELECT FROM audit_event_leaving) OR EXISTS (SELECT FROM audit_event_months_due(keep, archived_only));
END
$$;

-- Begins with a month once it is noted: whoever has written into it without seeing that has ended, as soon as the lock is there. Those
-- who place or release holds have as well. Makes the table for what stays. False if the month is in use.
CREATE OR REPLACE FUNCTION audit_event_begin_leaving(leaving audit_event_leaving) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    kept_leaf    CONSTANT text := leaving.leaf || '_kept';
    record_month CONSTANT date := audit_leaf_month(leaving.leaf);
BEGIN
    IF NOT audit_run_alone('audit_event', format('LOCK TABLE %I, audit_legal_hold IN SHARE MODE', leaving.leaf)) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE audit_event INCLUDING DEFAULTS INCLUDING INDEXES)', kept_leaf);
    -- By which PostgreSQL knows that all of it belongs to the month, without looking.
    EXECUTE format(
        'ALTER TABLE %I ADD CONSTRAINT audit_event_bounds CHECK (sequence >= %s AND sequence < %s)',
        kept_leaf,
        audit_id_at(record_month::timestamp AT TIME ZONE 'UTC'),
        audit_id_at((record_month + interval '1 month') AT TIME ZONE 'UTC')
    );
    PERFORM audit_protect(kept_leaf);
    UPDATE audit_event_leaving AS l
    SET hold_revision = (SELECT coalesce(max(h.revision), 0) FROM audit_legal_hold AS h)
    WHERE l.leaf = leaving.leaf;
    RETURN true;
END
$$;

-- Has the month begin anew. False if the table for what stays is in use.
CREATE OR REPLACE FUNCTION audit_event_give_up(leaving audit_event_leaving) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT audit_run_alone(
        'audit_event', format('DROP TABLE IF EXISTS %I; TRUNCATE audit_event_anchor', leaving.leaf || '_kept')
    ) THEN
        RETURN false;
    END IF;
    DELETE FROM audit_event_leaving AS l WHERE l.leaf = leaving.leaf;
    RETURN true;
END
$$;

-- Sees to the next events of a month: copies those that stay, and notes the last one of each chain of the others. False if there are no
-- more.
CREATE OR REPLACE FUNCTION audit_event_sort_out(leaving audit_event_leaving) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    first_id CONSTANT bigint := audit_id_at(audit_leaf_month(leaving.leaf)::timestamp AT TIME ZONE 'UTC');
    seen     record;
BEGIN
    EXECUTE format(
        'WITH slice AS MATERIALIZED (
            SELECT e.correlation_id, e.sequence
            FROM %1$I AS e
            WHERE (e.correlation_id, e.sequence) > ($1, $2)
            ORDER BY e.correlation_id, e.sequence
            LIMIT $3
         ), chain AS MATERIALIZED (
            SELECT
                s.correlation_id,
                max(s.sequence) AS last_sequence,
                EXISTS (
                    SELECT FROM audit_legal_hold AS h WHERE h.correlation_id = s.correlation_id AND h.released_at IS NULL
                ) AS is_held,
                EXISTS (
                    SELECT FROM audit_event_chain AS c WHERE c.correlation_id = s.correlation_id AND c.first_sequence < $4
                ) AS is_waiting
            FROM slice AS s
            GROUP BY s.correlation_id
         ), stays AS (
            INSERT INTO %2$I
            SELECT e.*
            FROM chain AS c
            JOIN slice AS s ON s.correlation_id = c.correlation_id
            JOIN %1$I AS e ON e.sequence = s.sequence
            WHERE c.is_held OR c.is_waiting
            RETURNING sequence
         ), noted AS (
            INSERT INTO audit_event_anchor (correlation_id, chain_sequence, event_hash)
            SELECT c.correlation_id, e.chain_sequence, e.event_hash
            FROM chain AS c
            JOIN %1$I AS e ON e.sequence = c.last_sequence
            WHERE NOT (c.is_held OR c.is_waiting)
            ON CONFLICT (correlation_id) DO UPDATE
            SET chain_sequence = excluded.chain_sequence, event_hash = excluded.event_hash
         )
         SELECT
            (SELECT count(*) FROM slice) AS events,
            (SELECT count(*) FROM stays) AS kept,
            (SELECT bool_or(c.is_waiting AND NOT c.is_held) FROM chain AS c) AS waiting,
            (SELECT max(s.correlation_id) FROM slice AS s) AS correlation_id,
            (
                SELECT s.sequence FROM slice AS s ORDER BY s.correlation_id DESC, s.sequence DESC LIMIT 1
            ) AS sequence',
        leaving.leaf, leaving.leaf || '_kept'
    ) INTO seen USING leaving.after_correlation, leaving.after_sequence, leaving.batch, first_id;
    IF seen.events = 0 THEN
        RETURN false;
    END IF;
    UPDATE audit_event_leaving AS l
    SET after_correlation = seen.correlation_id,
        after_sequence = seen.sequence,
        events = l.events + seen.events - seen.kept,
        kept = l.kept + seen.kept,
        waiting = l.waiting OR seen.waiting,
        batch = least(l.batch + l.batch / 8 + 1, 2000)
    WHERE l.leaf = leaving.leaf;
    RETURN true;
END
$$;

-- Takes the month out of the log, and puts what stays in its place, for which the log is locked for a moment. Returns `detached`;
-- `in_use`; or `changed`, if it is to begin anew.
CREATE OR REPLACE FUNCTION audit_event_take_out(leaving audit_event_leaving) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    record_month CONSTANT date := audit_leaf_month(leaving.leaf);
    kept_leaf    CONSTANT text := leaving.leaf || '_kept';
BEGIN
    IF NOT pg_try_advisory_xact_lock(audit_month_key('events', record_month)) THEN -- it is being archived
        PERFORM audit_rest('audit_event');
        RETURN 'in_use';
    END IF;
    -- Whoever is writing into the month has one of these locks, and whoever is placing or releasing a hold the other.
    PERFORM FROM audit_event_month AS m WHERE m.month = record_month AND m.leaving FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'changed';
    END IF;
    LOCK TABLE audit_legal_hold IN SHARE MODE;
    IF (SELECT coalesce(max(h.revision), 0) FROM audit_legal_hold AS h) <> leaving.hold_revision THEN
        RETURN 'changed';
    END IF;
    EXECUTE format('ALTER TABLE audit_event DETACH PARTITION %I', leaving.leaf);
    EXECUTE format('ALTER TABLE %I RENAME TO %I', leaving.leaf, leaving.leaf || '_gone');
    IF leaving.kept = 0 THEN
        EXECUTE format('DROP TABLE %I', kept_leaf);
        DELETE FROM audit_event_month AS m WHERE m.month = record_month;
    ELSE
        EXECUTE format('ALTER TABLE %I RENAME TO %I', kept_leaf, leaving.leaf);
        EXECUTE format(
            'ALTER TABLE audit_event ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
            leaving.leaf,
            audit_id_at(record_month::timestamp AT TIME ZONE 'UTC'),
            audit_id_at((record_month + interval '1 month') AT TIME ZONE 'UTC')
        );
        EXECUTE format('ALTER TABLE %I DROP CONSTRAINT audit_event_bounds', leaving.leaf);
        UPDATE audit_event_month AS m
        SET leaving = false, settled = true, waiting = audit_event_take_out.leaving.waiting
        WHERE m.month = record_month;
    END IF;
    UPDATE audit_event_leaving AS l SET gone = true WHERE l.leaf = leaving.leaf;
    DELETE FROM audit_retention_rest AS r WHERE r.relation = 'audit_event';
    RETURN 'detached';
EXCEPTION WHEN lock_not_available THEN
    PERFORM audit_rest('audit_event');
    RETURN 'in_use';
END
$$;

-- Notes in the next chains what they have lost, and deletes what those events left elsewhere. False if there are no more.
CREATE OR REPLACE FUNCTION audit_event_clear(leaving audit_event_leaving) RETURNS boolean
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    record_month CONSTANT date := audit_leaf_month(leaving.leaf);
    first_id     CONSTANT bigint := audit_id_at(record_month::timestamp AT TIME ZONE 'UTC');
    end_id       CONSTANT bigint := audit_id_at((record_month + interval '1 month') AT TIME ZONE 'UTC');
    chains       CONSTANT text[] := ARRAY(
        SELECT a.correlation_id FROM audit_event_anchor AS a ORDER BY a.correlation_id LIMIT least(leaving.batch, 200)
    );
BEGIN
    IF cardinality(chains) = 0 THEN
        RETURN false;
    END IF;
    PERFORM FROM audit_event_chain AS c
    WHERE c.correlation_id = ANY (chains)
    ORDER BY c.correlation_id
    FOR NO KEY UPDATE;
    UPDATE audit_event_chain AS c
    SET anchor_sequence = a.chain_sequence,
        anchor_hash = a.event_hash,
        first_sequence = CASE
            WHEN c.last_sequence < end_id THEN c.last_sequence
            ELSE (
                SELECT coalesce(min(e.sequence), c.last_sequence)
                FROM audit_event AS e
                WHERE e.correlation_id = c.correlation_id AND e.sequence BETWEEN end_id AND c.last_sequence
            )
        END
    FROM audit_event_anchor AS a
    WHERE a.correlation_id = ANY (chains)
        AND c.correlation_id = a.correlation_id
        AND c.anchor_sequence < a.chain_sequence;
    DELETE FROM audit_event_target AS t
    WHERE t.correlation_id = ANY (chains) AND t.sequence >= first_id AND t.sequence < end_id;
    DELETE FROM audit_event_spec_hash AS s
    WHERE s.correlation_id = ANY (chains) AND s.sequence >= first_id AND s.sequence < end_id;
    DELETE FROM audit_event_anchor AS a WHERE a.correlation_id = ANY (chains);
    RETURN true;
END
$$;

-- Drops what was taken out, once nothing refers to it. What waits for older events in later months may go now, too.
CREATE OR REPLACE FUNCTION audit_event_drop(leaving audit_event_leaving) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    record_month CONSTANT date := audit_leaf_month(leaving.leaf);
BEGIN
    IF NOT audit_run_alone('audit_event', format('DROP TABLE %I', leaving.leaf || '_gone')) THEN
        RETURN 'in_use';
    END IF;
    DELETE FROM audit_event_leaving AS l WHERE l.leaf = leaving.leaf;
    UPDATE audit_event_month AS m SET settled = false, waiting = false WHERE m.waiting AND m.month > record_month;
    -- If events stay, the month counts as archived as before. If none stay, whatever comes later is in no archive.
    INSERT INTO audit_retention AS r (kind, month, changed, dropped_at, dropped)
    VALUES ('events', record_month, true, clock_timestamp(), leaving.events)
    ON CONFLICT (kind, month) DO UPDATE
    SET changed = r.changed OR leaving.kept = 0, dropped_at = excluded.dropped_at, dropped = r.dropped + excluded.dropped;
    RETURN 'dropped';
END
$$;

-- Takes one step, as `audit_drop_step`, with what is on its way out, or else with the next month; null if there is nothing to do. Beside
-- those of `audit_drop_step`, steps are `noted`, and `changed` if the month begins anew, or stays after all.
CREATE OR REPLACE FUNCTION audit_event_drop_step(keep jsonb, archived_only boolean) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    leaving audit_event_leaving;
    step    text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('audit_drop_partitions')) THEN
        RETURN '{"step":"busy"}';
    END IF;
    IF audit_rests('audit_event') THEN
        RETURN NULL;
    END IF;
    -- What is being restored changes which chains have older events.
    IF NOT pg_try_advisory_xact_lock(audit_event_restore_key()) THEN
        PERFORM audit_rest('audit_event');
        RETURN NULL;
    END IF;
    SELECT * INTO leaving FROM audit_event_leaving;
    IF leaving.leaf IS NULL THEN
        INSERT INTO audit_event_leaving (leaf)
        SELECT d.leaf FROM audit_event_months_due(keep, archived_only) AS d ORDER BY d.month LIMIT 1
        RETURNING * INTO leaving;
        IF leaving.leaf IS NULL THEN
            RETURN NULL;
        END IF;
        INSERT INTO audit_event_month (month, longest, leaving)
        VALUES (audit_leaf_month(leaving.leaf), 0, true)
        ON CONFLICT (month) DO UPDATE SET leaving = true;
        step := 'noted';
    ELSIF NOT leaving.gone
        AND leaving.leaf NOT IN (SELECT d.leaf FROM audit_event_months_due(keep, archived_only) AS d)
    THEN
        step := 'changed';
    ELSIF leaving.hold_revision IS NULL THEN
        step := CASE WHEN audit_event_begin_leaving(leaving) THEN 'noted' ELSE 'in_use' END;
    ELSIF leaving.gone AND audit_event_clear(leaving) THEN
        step := 'cleared';
    ELSIF leaving.gone THEN
        step := audit_event_drop(leaving);
    ELSIF audit_event_sort_out(leaving) THEN
        step := 'cleared';
    ELSE
        step := audit_event_take_out(leaving);
    END IF;
    IF step = 'changed' AND NOT audit_event_give_up(leaving) THEN
        step := 'in_use';
    END IF;
    RETURN jsonb_build_object(
        'step', step,
        'leaf', leaving.leaf,
        'kind', 'events',
        'month', to_char(audit_leaf_month(leaving.leaf), 'YYYY-MM'),
        'records', leaving.events
    );
END
$$;

-- The id up to which nothing that was put aside is kept any more.
CREATE OR REPLACE FUNCTION audit_event_quarantine_end() RETURNS bigint
LANGUAGE sql STABLE
RETURN audit_id_at(clock_timestamp() - interval '2555 days');

-- Whether `audit_event_forget` has something to do.
CREATE OR REPLACE FUNCTION audit_event_forgettable() RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM audit_event_batch AS b WHERE b.written_at < clock_timestamp() - audit_event_memory())
        OR EXISTS (SELECT FROM audit_event_quarantine AS q WHERE q.id < audit_event_quarantine_end());
END;

-- Forgets at most `step` batches that no retry can mean any more, and as much of what was put aside, once it has been kept as long as
-- an event is that does not say for how long. Returns how many.
CREATE OR REPLACE FUNCTION audit_event_forget(step integer) RETURNS integer
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    WITH batches AS (
        DELETE FROM audit_event_batch AS b
        WHERE b.key IN (
            SELECT o.key
            FROM audit_event_batch AS o
            WHERE o.written_at < clock_timestamp() - audit_event_memory()
            ORDER BY o.written_at
            LIMIT step
            FOR UPDATE SKIP LOCKED
        )
        RETURNING b.key
    ), entries AS (
        DELETE FROM audit_event_quarantine AS q
        WHERE q.event_id IN (
            SELECT o.event_id
            FROM audit_event_quarantine AS o
            WHERE o.id < audit_event_quarantine_end()
            ORDER BY o.id
            LIMIT step
            FOR UPDATE SKIP LOCKED
        )
        RETURNING q.event_id
    )
    SELECT (SELECT count(*) FROM batches)::integer + (SELECT count(*) FROM entries)::integer;
END;
