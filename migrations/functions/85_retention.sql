-- Retention: the records of a kind leave by whole months, and take with them what they left elsewhere. Natural keys stay, so a
-- late replay of a dropped record is recognised and not stored again.
--
-- Each step is a short transaction of its own, so that nobody waits for its locks, and the next one goes on from what it
-- finds in `audit_detached`, whoever takes it:
--   1. The partition of the records is taken out of its table. From then on nobody finds the records.
--   2. Once a month has no kind left, the partitions of vectors and versions follow, and are dropped.
--   3. What at most 1000 of the records left elsewhere is deleted, again and again, and the vector database is told of it.
--   4. The partition of the records is dropped.
-- One month goes after the other. A table that is in use is left alone for a while, and what needs none of its locks goes on.

-- The advisory lock of a kind's month. Who archives or restores it holds the lock, and so does who takes it out.
CREATE OR REPLACE FUNCTION audit_month_key(record_kind text, record_month date) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtextextended(record_kind, record_month - '2000-01-01'::date);

-- Whether a table was in use a short while ago, when it was to be locked.
CREATE OR REPLACE FUNCTION audit_rests(relation text) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM audit_retention_rest AS r WHERE r.relation = audit_rests.relation AND audit_is_leased(r.rest_until)
    );
END;

-- Has everybody leave a table alone for 10 seconds, and longer each time, up to a minute.
CREATE OR REPLACE FUNCTION audit_rest(relation text) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO audit_retention_rest AS r (relation, rest_until, pause)
    VALUES (relation, clock_timestamp() + interval '10 seconds', '10 seconds')
    ON CONFLICT (relation) DO UPDATE
    SET rest_until = clock_timestamp() + least(r.pause * 2, interval '1 minute'), pause = least(r.pause * 2, interval '1 minute');
END;

-- Runs a statement that needs a table for itself. False if somebody uses that for longer than `lock_timeout`, which the caller sets,
-- since everybody else waits behind: then it rests.
CREATE OR REPLACE FUNCTION audit_run_alone(relation text, statement text) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
    BEGIN
        EXECUTE statement;
    EXCEPTION WHEN lock_not_available THEN
        PERFORM audit_rest(relation);
        RETURN false;
    END;
    DELETE FROM audit_retention_rest AS r WHERE r.relation = audit_run_alone.relation;
    RETURN true;
END
$$;

-- Those of months that have ended, whose tables do not rest: the release before left them behind.
CREATE OR REPLACE FUNCTION audit_left_behind() RETURNS TABLE (leaf text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT s.leaf
    FROM audit_months_without_kinds() AS s
    WHERE s.month < date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') AND NOT audit_rests(left(s.leaf, -8))
    ORDER BY 1;
END;

-- Takes a month of a kind out of its table, for which that is locked for a moment. Returns `detached`; `in_use` if somebody uses the
-- table, or archives or restores the month; null if the month may no longer go, for whoever was changing a record has ended by
-- then, and is seen. `archived_only` is null if nobody is to be asked.
CREATE OR REPLACE FUNCTION audit_detach_month(record_kind text, record_month date, archived_only boolean) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    gone record;
BEGIN
    SELECT m.parent, m.leaf INTO gone FROM audit_months() AS m WHERE m.kind = record_kind AND m.month = record_month;
    IF gone.leaf IS NULL THEN
        RETURN NULL;
    END IF;
    IF NOT pg_try_advisory_xact_lock(audit_month_key(record_kind, record_month)) THEN
        PERFORM audit_rest(left(gone.leaf, -8));
        RETURN 'in_use';
    END IF;
    IF NOT audit_run_alone(left(gone.leaf, -8), format('ALTER TABLE %s DETACH PARTITION %I', gone.parent, gone.leaf)) THEN
        RETURN 'in_use';
    END IF;
    IF archived_only IS NOT NULL AND NOT audit_may_go(record_kind, record_month, archived_only) THEN
        RAISE EXCEPTION 'the month stays' USING ERRCODE = 'AU002';
    END IF;
    INSERT INTO audit_detached (leaf) VALUES (gone.leaf);
    INSERT INTO audit_detached (leaf, attached)
    SELECT s.leaf, true FROM audit_months_without_kinds() AS s WHERE s.month = record_month;
    RETURN 'detached';
EXCEPTION WHEN SQLSTATE 'AU002' THEN
    RETURN NULL;
END
$$;

-- The next step for a table of vectors or versions whose month has no records left: takes it out, and drops it. The tail goes
-- first, because from there vectors would be moved into a partition that is gone. Returns `cleared`, `detached`, `dropped` or
-- `in_use`.
CREATE OR REPLACE FUNCTION audit_drop_shared(shared audit_detached) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    parent       CONSTANT text := left(shared.leaf, -8);
    record_month CONSTANT date := audit_leaf_month(shared.leaf);
    deleted      bigint;
BEGIN
    IF NOT shared.attached THEN
        IF NOT audit_run_alone(shared.leaf, format('DROP TABLE %I', shared.leaf)) THEN
            RETURN 'in_use';
        END IF;
        DELETE FROM audit_detached AS d WHERE d.leaf = shared.leaf;
        RETURN 'dropped';
    END IF;
    DELETE FROM audit_vector_tail AS t
    USING (
        SELECT old.kind, old.id
        FROM audit_vector_tail AS old
        WHERE old.id >= audit_id_at(record_month::timestamp AT TIME ZONE 'UTC')
            AND old.id < audit_id_at((record_month + interval '1 month') AT TIME ZONE 'UTC')
        LIMIT 1000
    ) AS gone
    WHERE t.kind = gone.kind AND t.id = gone.id;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    IF deleted > 0 THEN
        RETURN 'cleared';
    END IF;
    IF NOT audit_run_alone(parent, format('ALTER TABLE %I DETACH PARTITION %I', parent, shared.leaf)) THEN
        RETURN 'in_use';
    END IF;
    UPDATE audit_detached AS d SET attached = false WHERE d.leaf = shared.leaf;
    RETURN 'detached';
END
$$;

-- Whether the vector database has much to be told as it is, so that more is to wait: searches would go to the primary.
CREATE OR REPLACE FUNCTION audit_deliveries_wait() RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT (SELECT complete IS NOT FALSE FROM audit_vector_db)
        AND (SELECT count(*) > 500 FROM (SELECT FROM audit_outbox LIMIT 501) AS o);
END;

-- Deletes what the next records of a month that was taken out left elsewhere, and has the vector database told, if it has all
-- others. False if there are no more. From the tail first, as in `audit_remove_vector`. By the keys of all tables, whatever the
-- planner knows of their sizes.
CREATE OR REPLACE FUNCTION audit_clear_records(detached audit_detached) RETURNS boolean
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    record_kind CONSTANT text := audit_leaf_kind(detached.leaf);
    last_id     bigint;
    cleared     bigint;
BEGIN
    -- Ranges of ids begin with the month's own: older months have records that stay.
    detached.after := greatest(
        detached.after, audit_id_at(audit_leaf_month(detached.leaf)::timestamp AT TIME ZONE 'UTC') - 1
    );
    EXECUTE format(
        'SELECT max(id), count(*) FROM (SELECT id FROM %I WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3) AS a',
        detached.leaf
    ) INTO last_id, cleared USING record_kind, detached.after, detached.batch;
    IF cleared = 0 THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'WITH gone AS MATERIALIZED (
            SELECT k.key, a.id
            FROM %I AS a, unnest(audit_correlation_keys(a.kind, a.name, a.remediation_request_id, a.correlation_id)) AS k (key)
            WHERE a.kind = $1 AND a.id > $2 AND a.id <= $3
         )
         DELETE FROM audit_correlation AS c USING gone AS g WHERE c.key = g.key AND c.kind = $1 AND c.id = g.id',
        detached.leaf
    ) USING record_kind, detached.after, last_id;
    DELETE FROM audit_vector_tail AS t WHERE t.kind = record_kind AND t.id > detached.after AND t.id <= last_id;
    DELETE FROM audit_vector AS v WHERE v.kind = record_kind AND v.id > detached.after AND v.id <= last_id;
    DELETE FROM audit_version AS v WHERE v.kind = record_kind AND v.id > detached.after AND v.id <= last_id;
    IF (SELECT complete IS NOT FALSE FROM audit_vector_db) THEN
        EXECUTE format(
            'INSERT INTO audit_outbox AS o (kind, id)
             SELECT kind, id FROM %I WHERE kind = $1 AND id > $2 AND id <= $3
             ON CONFLICT (kind, id) DO UPDATE SET revision = DEFAULT, claimed_until = DEFAULT',
            detached.leaf
        ) USING record_kind, detached.after, last_id;
    ELSE
        DELETE FROM audit_outbox AS o WHERE o.kind = record_kind AND o.id > detached.after AND o.id <= last_id;
    END IF;
    DELETE FROM audit_embedding_refusal AS r
    WHERE r.kind = record_kind AND r.id > detached.after AND r.id <= last_id;
    UPDATE audit_detached AS d
    SET after = last_id, records = d.records + cleared, batch = least(d.batch + d.batch / 8 + 1, 1000)
    WHERE d.leaf = detached.leaf;
    RETURN true;
END
$$;

-- Takes one step, if nobody else is taking one: with what is on its way out, or else with the month named here. Returns {step,
-- leaf, kind, month, records}, where `step` is `detached`, `cleared`, `dropped`, `in_use` (a table is, and left alone for a while),
-- `busy` (somebody else takes steps) or `waiting` (the vector database is yet to be told of others); null if there is nothing to do.
CREATE OR REPLACE FUNCTION audit_drop_step(due_kind text, due_month date, archived_only boolean) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    leaving audit_detached;
    step    text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('audit_drop_partitions')) THEN
        RETURN '{"step":"busy"}';
    END IF;
    SELECT * INTO leaving FROM audit_leaving();
    IF leaving.leaf IS NULL AND due_month IS NOT NULL THEN
        step := audit_detach_month(due_kind, due_month, archived_only);
        RETURN jsonb_build_object(
            'step', coalesce(step, 'waiting'), 'kind', due_kind, 'month', to_char(due_month, 'YYYY-MM')
        );
    ELSIF leaving.leaf IS NULL THEN
        INSERT INTO audit_detached (leaf, attached)
        SELECT b.leaf, true FROM audit_left_behind() AS b LIMIT 1
        RETURNING * INTO leaving;
        IF leaving.leaf IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;

    IF audit_leaf_kind(leaving.leaf) IS NULL THEN
        step := audit_drop_shared(leaving);
    ELSIF audit_deliveries_wait() THEN
        step := 'waiting';
    ELSIF audit_clear_records(leaving) THEN
        step := 'cleared';
    ELSIF NOT audit_run_alone(leaving.leaf, format('DROP TABLE %I', leaving.leaf)) THEN
        step := 'in_use';
    ELSE
        DELETE FROM audit_detached AS d WHERE d.leaf = leaving.leaf;
        -- Records that come later are in no archive.
        INSERT INTO audit_retention AS r (kind, month, changed, dropped_at, dropped)
        VALUES (audit_leaf_kind(leaving.leaf), audit_leaf_month(leaving.leaf), true, clock_timestamp(), leaving.records)
        ON CONFLICT (kind, month) DO UPDATE
        SET changed = true, dropped_at = excluded.dropped_at, dropped = r.dropped + excluded.dropped;
        step := 'dropped';
    END IF;
    RETURN jsonb_build_object(
        'step', step,
        'leaf', leaving.leaf,
        'kind', audit_leaf_kind(leaving.leaf),
        'month', to_char(audit_leaf_month(leaving.leaf), 'YYYY-MM'),
        'records', leaving.records
    );
END
$$;

-- What is next among that on its way out, those of vectors and versions first, and leaves alone what rests.
CREATE OR REPLACE FUNCTION audit_leaving() RETURNS SETOF audit_detached
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT d.*
    FROM audit_detached AS d
    WHERE NOT audit_rests(CASE WHEN d.attached THEN left(d.leaf, -8) ELSE d.leaf END)
    ORDER BY audit_leaf_kind(d.leaf) IS NOT NULL, d.leaf
    LIMIT 1;
END;

-- The next month to be dropped (`keep` and `archived_only` as in `audit_months_due`) of those whose tables do not rest.
CREATE OR REPLACE FUNCTION audit_next_month(keep jsonb, archived_only boolean) RETURNS TABLE (kind text, month date)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT d.kind, d.month
    FROM audit_months_due(keep, archived_only) AS d
    WHERE NOT audit_rests(audit_table(d.kind)::text)
    ORDER BY d.month, d.kind
    LIMIT 1;
END;

-- Whether there is a step to be taken.
CREATE OR REPLACE FUNCTION audit_retention_due(keep jsonb, archived_only boolean) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM audit_leaving())
        OR EXISTS (SELECT FROM audit_next_month(keep, archived_only))
        OR EXISTS (SELECT FROM audit_left_behind());
END;

-- One step of the service's own retention (`keep` and `archived_only` as in `audit_months_due`), as `audit_drop_step`, or with events
-- while no kind has one that can be taken. Runs
-- with its owner's rights, so that the service needs none to drop tables; whoever may delete records may call it. A step that takes
-- too long is undone, and the next one is of half as many records.
CREATE OR REPLACE FUNCTION audit_retain_step(keep jsonb, archived_only boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {{schema}}, pg_temp SET lock_timeout = '50ms'
AS $$
DECLARE
    due  record;
    step jsonb;
BEGIN
    IF NOT has_table_privilege(session_user, 'audit', 'DELETE') THEN
        RAISE EXCEPTION 'retention needs the privilege to delete records'
            USING ERRCODE = 'insufficient_privilege', HINT = 'GRANT DELETE ON audit';
    END IF;
    SELECT n.kind, n.month INTO due FROM audit_next_month(keep, archived_only) AS n;
    step := audit_drop_step(due.kind, due.month, archived_only);
    IF step IS NULL OR step ->> 'step' = 'waiting' THEN
        step := coalesce(audit_event_drop_step(keep, archived_only), step);
    END IF;
    RETURN step::text;
EXCEPTION
    WHEN lock_not_available THEN -- somebody delivers, or embeds, one of the records, or writes to one of the chains
        RETURN '{"step":"waiting"}';
    WHEN query_canceled THEN
        UPDATE audit_detached AS d SET batch = greatest(d.batch / 2, 1);
        UPDATE audit_event_leaving AS l SET batch = greatest(l.batch / 2, 1);
        RETURN '{"step":"waiting"}';
END
$$;

-- One step of `audit_drop_partitions`.
CREATE OR REPLACE FUNCTION audit_drop_step(before timestamptz) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    due record;
BEGIN
    SELECT m.kind, m.month INTO due
    FROM audit_months() AS m
    WHERE m.month < date_trunc('month', before AT TIME ZONE 'UTC') AND NOT audit_rests(left(m.leaf, -8))
    ORDER BY m.month, m.kind
    LIMIT 1;
    RETURN audit_drop_step(due.kind, due.month, NULL) ->> 'step';
END
$$;

-- By hand: drops the months of all kinds that end before `before`'s begins, whatever is archived. `CALL
-- audit_drop_partitions('2026-01-01')`, outside of a transaction. What is in use, and a month that is being archived or restored, is
-- tried again, without an end.
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
        IF step IS NULL THEN
            EXIT WHEN NOT EXISTS (SELECT FROM audit_detached)
                AND NOT EXISTS (
                    SELECT FROM audit_months() AS m WHERE m.month < date_trunc('month', before AT TIME ZONE 'UTC')
                );
        END IF;
        IF step IS NULL OR step IN ('waiting', 'busy') THEN
            PERFORM pg_sleep(0.1);
        END IF;
    END LOOP;
END
$$;
