-- Maintenance: what is to be done that nobody asks for.

-- Moves the oldest vectors, at most `step`, from the tail into the indexed part, and returns how many it
-- moved. Called often, so most calls must cost nothing, and moving must leave the
-- machine to the writers: a step is followed by a rest, the longer the shorter the tail.
--
-- A search sees a vector in one of the two, because a step is one statement. One step at a time; a vector
-- that is just being replaced or removed is left for the next.
CREATE OR REPLACE FUNCTION audit_move_tail(step integer) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    few   CONSTANT bigint := 500;   -- not worth a step unless they are old
    many  CONSTANT bigint := 5000;  -- searched as long as an index of 100 000: from here on no rest
    old   CONSTANT interval := '10 seconds';
    began timestamptz := clock_timestamp();
    tail  record;
    moved bigint := 0;
    rest  interval := '1 second';
BEGIN
    IF audit_is_leased((SELECT rest_until FROM audit_tail_move))
        OR NOT pg_try_advisory_xact_lock(hashtext('audit_move_tail'))
        -- Another step may have ended in between.
        OR audit_is_leased((SELECT rest_until FROM audit_tail_move))
    THEN
        RETURN 0;
    END IF;

    SELECT count(*) AS length, audit_id_time(min(id)) AS since INTO tail FROM audit_vector_tail;
    IF tail.length >= few OR tail.since < began - old THEN
        WITH leaving AS (
            SELECT kind, id FROM audit_vector_tail ORDER BY id LIMIT step FOR UPDATE SKIP LOCKED
        ), gone AS (
            DELETE FROM audit_vector_tail AS t
            USING leaving AS l
            WHERE t.kind = l.kind AND t.id = l.id
            RETURNING t.kind, t.id, t.model, t.embedding
        )
        INSERT INTO audit_vector (kind, id, model, embedding)
        SELECT kind, id, model, embedding FROM gone
        ON CONFLICT (kind, id) DO UPDATE SET model = excluded.model, embedding = excluded.embedding;
        GET DIAGNOSTICS moved = ROW_COUNT;
    END IF;
    IF moved > 0 THEN
        rest := least(
            rest,
            (clock_timestamp() - began) * greatest(0, (many - tail.length)::double precision / tail.length)
        );
    END IF;
    UPDATE audit_tail_move SET rest_until = clock_timestamp() + rest;
    -- A step that a crash undoes is taken again.
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN moved;
END
$$;

-- What maintenance is due, joined by spaces: `embed` (records that `model` is to embed, unless that is null), `move`
-- (vectors out of the tail), `deliver` (to the vector database), `partition` (a month of the next three has none), `held`
-- (it is to be said that a month is not dropped because it is not archived), `retain` (a month is to be dropped by `keep` and
-- `archived_only`, see `audit_months_due`, or on its way out), `project` (records are to be made of events) and `forget` (see
-- `audit_event_forget`). Cheap, because it is asked for often.
CREATE OR REPLACE FUNCTION audit_maintenance_due(model text, keep jsonb, archived_only boolean) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN concat_ws(' ',
        CASE
            WHEN model IS NOT NULL
                AND NOT EXISTS (SELECT FROM audit_embedding_lease WHERE audit_is_leased(busy_until))
                AND audit_embedding_pending(model, 1) <> '[]'
            THEN 'embed'
        END,
        CASE WHEN EXISTS (SELECT FROM audit_vector_tail) THEN 'move' END,
        CASE WHEN EXISTS (SELECT FROM audit_outbox WHERE NOT audit_is_leased(claimed_until)) THEN 'deliver' END,
        CASE WHEN EXISTS (SELECT FROM audit_missing_partitions()) THEN 'partition' END,
        CASE WHEN archived_only AND EXISTS (SELECT FROM audit_months_held(keep)) THEN 'held' END,
        CASE
            WHEN audit_retention_due(keep, archived_only) OR audit_event_retention_due(keep, archived_only) THEN 'retain'
        END,
        CASE WHEN EXISTS (SELECT FROM audit_event_pending WHERE NOT audit_is_leased(claimed_until)) THEN 'project' END,
        CASE WHEN audit_event_forgettable() THEN 'forget' END
    );
END
$$;
