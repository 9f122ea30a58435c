-- Archives of months of events: what differs from those of records (87_archive.sql).
--
-- An archive has the newest event first, and is read back in that order. So each event meets its chain where that was cut: the
-- chain knows the number and the hash of the last event that it has lost, which must be those of this event, and from there on the
-- chain is whole again. That is so after each transaction of a restore, also if it breaks off. Of a month whose later neighbour is
-- missing, events fit nowhere, so months come back from the newest to the oldest.

-- An event as its archive has it. Its own JSON is text there: as jsonb it would come back with other numbers, and its hash covers it
-- as it came.
CREATE OR REPLACE FUNCTION audit_event_packed(event audit_event) RETURNS jsonb
LANGUAGE sql STABLE
RETURN to_jsonb(json_populate_record(event, '{"event_data": null, "extra": null}'))
    || jsonb_build_object('event_data', event.event_data::text, 'extra', event.extra::text);

-- The event that `audit_event_packed` packed.
CREATE OR REPLACE FUNCTION audit_event_unpacked(packed jsonb) RETURNS audit_event
LANGUAGE sql STABLE
RETURN json_populate_record(
    jsonb_populate_record(NULL::audit_event, packed - 'event_data' - 'extra'),
    json_build_object('event_data', (packed ->> 'event_data')::json, 'extra', (packed ->> 'extra')::json)
);

-- Refuses an archive that would have less than the one that is noted: of a month that retention has dropped in part, that has what
-- is gone.
CREATE OR REPLACE FUNCTION audit_event_archive_begin(record_month date) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    first_id CONSTANT bigint := audit_id_at(record_month::timestamp AT TIME ZONE 'UTC');
    end_id   CONSTANT bigint := audit_id_at((record_month + interval '1 month') AT TIME ZONE 'UTC');
    noted    CONSTANT bigint := (
        SELECT r.records FROM audit_retention AS r WHERE r.kind = 'events' AND r.month = record_month AND r.dropped > 0
    );
    present  bigint;
BEGIN
    IF audit_is_being_dropped('events', record_month) THEN
        RAISE EXCEPTION 'the month events % is just being dropped; try again when that is done', to_char(record_month, 'YYYY-MM')
            USING ERRCODE = 'AU003';
    END IF;
    IF noted IS NULL THEN
        RETURN;
    END IF;
    SELECT count(*) INTO present FROM audit_event AS e WHERE e.sequence >= first_id AND e.sequence < end_id;
    IF present < noted THEN
        RAISE EXCEPTION 'the archive that is noted for the month events % has % events, and the month has % now: what was dropped would be '
            'missing in another one; restore the noted one first', to_char(record_month, 'YYYY-MM'), noted, present
            USING ERRCODE = 'AU003';
    END IF;
END
$$;

-- Has this session restore events, and nobody else, until the session gives that back, or ends. Whatever retention has begun with
-- begins anew.
CREATE OR REPLACE FUNCTION audit_event_restore_begin() RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT pg_try_advisory_lock(audit_event_restore_key()) THEN
        RAISE EXCEPTION 'somebody else is just restoring events; try again when that is done' USING ERRCODE = 'AU003';
    END IF;
    -- Chains do not yet know what they have lost with it.
    IF EXISTS (SELECT FROM audit_event_leaving AS l WHERE l.gone) THEN
        PERFORM pg_advisory_unlock(audit_event_restore_key());
        RAISE EXCEPTION 'a month of events is just being dropped; try again when that is done' USING ERRCODE = 'AU003';
    END IF;
    UPDATE audit_event_month AS m SET leaving = false WHERE m.leaving;
END
$$;

-- Makes the chains that this database never had: they end with the newest of these events, and have lost all of them. Nobody can
-- tell whether there were newer ones.
CREATE OR REPLACE FUNCTION audit_event_adopt(archived audit_event[]) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO audit_event_chain (
        correlation_id, chain_sequence, event_hash, first_sequence, last_sequence, anchor_sequence, anchor_hash, projected
    )
    SELECT DISTINCT ON (a.correlation_id)
        a.correlation_id, a.chain_sequence, a.event_hash, a.sequence, a.sequence, a.chain_sequence, a.event_hash, a.chain_sequence
    FROM unnest(archived) AS a
    ORDER BY a.correlation_id, a.chain_sequence DESC
    ON CONFLICT (correlation_id) DO NOTHING;
END;

-- Those of these events that are not there.
CREATE OR REPLACE FUNCTION audit_event_absent(archived audit_event[]) RETURNS audit_event[]
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
RETURN ARRAY(
    SELECT a
    FROM unnest(archived) AS a
    WHERE NOT EXISTS (SELECT FROM audit_event AS e WHERE e.sequence = a.sequence AND e.event_id = a.event_id)
);

-- Those of these events that their chains have lost last, without a gap.
CREATE OR REPLACE FUNCTION audit_event_fitting(absent audit_event[]) RETURNS audit_event[]
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
BEGIN ATOMIC
    WITH beside AS (
        SELECT
            a AS event,
            a.correlation_id,
            a.chain_sequence,
            c.anchor_sequence - row_number() OVER newest + 1 AS lost_sequence,
            coalesce(lag(a.previous_event_hash) OVER newest, c.anchor_hash) AS lost_hash
        FROM unnest(absent) AS a
        JOIN audit_event_chain AS c ON c.correlation_id = a.correlation_id
        WINDOW newest AS (PARTITION BY a.correlation_id ORDER BY a.chain_sequence DESC, a.sequence DESC)
    ), linked AS (
        SELECT
            b.event,
            bool_and(
                b.chain_sequence = b.lost_sequence
                AND (b.event).event_hash = b.lost_hash
                AND NOT EXISTS (SELECT FROM audit_event AS e WHERE e.sequence = (b.event).sequence)
            ) OVER (PARTITION BY b.correlation_id ORDER BY b.chain_sequence DESC, (b.event).sequence DESC) AS fits
        FROM beside AS b
    )
    SELECT coalesce(array_agg(l.event), '{}') FROM linked AS l WHERE l.fits;
END;

-- Restores lines of an archive of events: an array of {event}, as in `audit_event_packed`, the newest first. What is there already
-- is left as it is. Events are left out that are not the last ones which their chain has lost, and those of chains that this database
-- never had, unless `new_chains` says that these begin with the newest archive. Returns {restored, left_out}: events.
CREATE OR REPLACE FUNCTION audit_event_restore(record_month date, lines jsonb, new_chains boolean) RETURNS jsonb
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    archived CONSTANT audit_event[] := ARRAY(
        SELECT audit_event_unpacked(l.line -> 'event') FROM jsonb_array_elements(lines) AS l (line)
    );
    absent   audit_event[];
    fitting  audit_event[];
BEGIN
    IF EXISTS (SELECT FROM unnest(archived) AS a WHERE audit_month(a.sequence) IS DISTINCT FROM record_month) THEN
        RAISE EXCEPTION 'the archive has a line that is not of this month and kind' USING ERRCODE = 'AU003';
    END IF;
    IF new_chains THEN
        PERFORM audit_event_adopt(archived);
    END IF;
    -- In the order in which whoever writes events locks chains.
    PERFORM FROM audit_event_chain AS c
    WHERE c.correlation_id = ANY (ARRAY(SELECT a.correlation_id FROM unnest(archived) AS a))
    ORDER BY c.correlation_id
    FOR NO KEY UPDATE;
    absent := audit_event_absent(archived);
    fitting := audit_event_fitting(absent);
    IF cardinality(fitting) > 0 THEN
        PERFORM audit_event_put_back(record_month, fitting);
    END IF;
    RETURN jsonb_build_object(
        'restored', cardinality(fitting), 'left_out', cardinality(absent) - cardinality(fitting)
    );
END
$$;

-- Stores events that their chains have lost last, and has the chains know it.
CREATE OR REPLACE FUNCTION audit_event_put_back(record_month date, fitting audit_event[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    INSERT INTO audit_event SELECT f.* FROM unnest(fitting) AS f;
    UPDATE audit_event_chain AS c
    SET anchor_sequence = o.chain_sequence - 1,
        anchor_hash = CASE WHEN o.chain_sequence > 1 THEN o.previous_event_hash END,
        first_sequence = o.sequence
    FROM (
        SELECT DISTINCT ON (f.correlation_id) f.correlation_id, f.chain_sequence, f.previous_event_hash, f.sequence
        FROM unnest(fitting) AS f
        ORDER BY f.correlation_id, f.chain_sequence
    ) AS o
    WHERE c.correlation_id = o.correlation_id;
    PERFORM audit_event_note(ARRAY(
        SELECT json_populate_record(NULL::audit_event_post, row_to_json(f)) FROM unnest(fitting) AS f
    ));
    INSERT INTO audit_event_month AS m (month, longest)
    SELECT record_month, max(f.retention_days) FROM unnest(fitting) AS f
    ON CONFLICT (month) DO UPDATE SET longest = greatest(m.longest, excluded.longest), settled = false;
END
$$;
