-- Proof: chains as they are verified, exports, legal holds.

-- What retention has dropped of a chain: {chain_sequence, event_hash} of the last event that is gone; null if none is. What is on
-- its way out counts once it is out.
CREATE OR REPLACE FUNCTION audit_event_dropped(chain audit_event_chain) RETURNS json
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    leaving audit_event_anchor;
BEGIN
    IF EXISTS (SELECT FROM audit_event_leaving AS l WHERE l.gone) THEN
        SELECT * INTO leaving FROM audit_event_anchor AS a WHERE a.correlation_id = chain.correlation_id;
    END IF;
    IF leaving.chain_sequence > chain.anchor_sequence THEN
        chain.anchor_sequence := leaving.chain_sequence;
        chain.anchor_hash := leaving.event_hash;
    END IF;
    IF chain.anchor_sequence = 0 THEN
        RETURN NULL;
    END IF;
    RETURN json_build_object('chain_sequence', chain.anchor_sequence, 'event_hash', encode(chain.anchor_hash, 'hex'));
END
$$;

-- The hash of the last event that a chain has lost, if that has this `chain_sequence`.
CREATE OR REPLACE FUNCTION audit_event_hash_dropped(chain audit_event_chain, wanted bigint) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    dropped CONSTANT json := audit_event_dropped(chain);
BEGIN
    RETURN CASE WHEN (dropped ->> 'chain_sequence')::bigint = wanted THEN dropped ->> 'event_hash' END;
END
$$;

-- What `audit_event_chain_page` returns, as one statement sees it.
CREATE OR REPLACE FUNCTION audit_event_chain_part(correlation text, after bigint, page_limit integer) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    chain audit_event_chain;
    rows  text[] := '{}';
    bytes bigint := 0;
    body  text;
BEGIN
    SELECT * INTO chain FROM audit_event_chain AS c WHERE c.correlation_id = correlation;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    FOR body IN
        SELECT audit_event_json(e)::text
        FROM audit_event AS e
        WHERE e.correlation_id = correlation AND e.sequence > after
        ORDER BY e.sequence
        LIMIT page_limit
    LOOP
        bytes := bytes + octet_length(body);
        EXIT WHEN bytes > audit_page_bytes() AND cardinality(rows) > 0;
        rows := rows || body;
    END LOOP;
    RETURN concat(
        '{"head":', json_build_object(
            'chain_sequence', chain.chain_sequence, 'event_hash', encode(chain.event_hash, 'hex')
        ),
        ',"anchor":', coalesce(audit_event_dropped(chain), 'null'),
        ',"events":[', array_to_string(rows, ','), ']}'
    );
END
$$;

-- At most `page_limit` events of a chain, those after the position `after` (0: from the beginning), in their order: {head:
-- {chain_sequence, event_hash}, anchor, events}, where `anchor` is as in `audit_event_dropped` and events are as in
-- `audit_event_json`; null if there is no such chain. A page ends early before it becomes larger than the host takes. Wherever
-- somebody has put an event of the chain, it is found: the chain's own positions are not trusted here.
--
-- The lock comes first, so that what retention takes out is either there or noted as dropped.
CREATE OR REPLACE FUNCTION audit_event_chain_page(correlation text, after bigint, page_limit integer) RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    LOCK TABLE audit_event IN ACCESS SHARE MODE;
    RETURN audit_event_chain_part(correlation, after, page_limit);
END
$$;

-- What `audit_event_export` returns, as one statement sees it. By the keys of all tables, whatever the planner knows of their sizes.
CREATE OR REPLACE FUNCTION audit_event_export_part(filter jsonb, page_limit bigint, page_offset bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
DECLARE
    chain      audit_event_chain;
    conditions text := audit_event_conditions(filter || '{"include_unreadable": true}');
    rows       text[] := '{}';
    before     text[] := '{}';
    bytes      bigint := 0;
    match      record;
    exported   record;
BEGIN
    IF filter ->> 'correlation_id' IS NOT NULL THEN
        SELECT * INTO chain FROM audit_event_chain AS c WHERE c.correlation_id = filter ->> 'correlation_id';
        conditions := conditions || format(
            ' AND e.correlation_id = %L AND e.sequence BETWEEN %s AND %s',
            filter ->> 'correlation_id', coalesce(chain.first_sequence, 0), coalesce(chain.last_sequence, 0)
        );
    END IF;
    SELECT * INTO match FROM audit_event_find(conditions, 'e.sequence', page_limit, page_offset);
    FOR exported IN
        SELECT
            r.body,
            r.event_id,
            CASE
                WHEN before.event_hash IS NOT NULL THEN encode(before.event_hash, 'hex')
                WHEN r.chain_sequence > 1 THEN audit_event_hash_dropped(c, r.chain_sequence - 1)
            END AS predecessor
        FROM unnest(match.positions) WITH ORDINALITY AS p (sequence, position)
        CROSS JOIN LATERAL (
            SELECT e.event_id, e.correlation_id, e.chain_sequence, audit_event_exported(e, h) AS body
            FROM audit_event AS e
            LEFT JOIN audit_legal_hold AS h ON h.correlation_id = e.correlation_id AND h.released_at IS NULL
            WHERE e.sequence = p.sequence
            OFFSET 0
        ) AS r
        LEFT JOIN audit_event_chain AS c ON c.correlation_id = r.correlation_id
        LEFT JOIN LATERAL (
            SELECT e.event_hash
            FROM audit_event AS e
            WHERE e.correlation_id = r.correlation_id AND e.sequence >= c.first_sequence AND e.sequence < p.sequence
            ORDER BY e.sequence DESC
            LIMIT 1
        ) AS before ON true
        ORDER BY p.position
    LOOP
        bytes := bytes + octet_length(exported.body);
        EXIT WHEN bytes > audit_page_bytes() AND cardinality(rows) > 0;
        rows := rows || exported.body;
        before := before || concat('"', exported.event_id, '":', coalesce('"' || exported.predecessor || '"', 'null'));
    END LOOP;
    RETURN concat(
        '{"matching_events":', match.total,
        ',"events":[', array_to_string(rows, ','),
        '],"predecessors":{', array_to_string(before, ','), '}}'
    );
END
$$;

-- A page of the events that match a filter (see `audit_event_conditions`; also `correlation_id`), readable or not, in the order
-- of the log: {matching_events, events, predecessors}, where events are as in `audit_event_exported`, and predecessors an object
-- from the id of each to the hash of the event before it in its chain, or null. A page that would be larger than the host takes ends
-- early. With a lock as in `audit_event_chain_page`.
CREATE OR REPLACE FUNCTION audit_event_export(filter jsonb, page_limit bigint, page_offset bigint) RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    LOCK TABLE audit_event IN ACCESS SHARE MODE;
    RETURN audit_event_export_part(filter, page_limit, page_offset);
END
$$;

-- How many events of a chain a hold is about: all but those that tell of holds.
CREATE OR REPLACE FUNCTION audit_event_count(chain audit_event_chain) RETURNS bigint
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
BEGIN
    RETURN (
        SELECT count(*)
        FROM audit_event AS e
        WHERE e.correlation_id = chain.correlation_id
            AND e.sequence BETWEEN chain.first_sequence AND chain.last_sequence
            AND e.event_type NOT IN ('datastorage.legal_hold.placed', 'datastorage.legal_hold.released')
    );
END
$$;

-- What the API says of a hold, and of its release.
CREATE OR REPLACE FUNCTION audit_event_hold_json(hold audit_legal_hold, events bigint) RETURNS json
LANGUAGE sql STABLE
RETURN CASE
    WHEN hold.released_at IS NULL THEN json_build_object(
        'correlation_id', hold.correlation_id,
        'events_affected', events,
        'placed_by', hold.placed_by,
        'placed_at', audit_rfc3339(hold.placed_at),
        'reason', hold.reason
    )
    ELSE json_build_object(
        'correlation_id', hold.correlation_id,
        'events_released', hold.events_released,
        'released_by', hold.released_by,
        'released_at', audit_rfc3339(hold.released_at)
    )
END;

-- Places or releases a hold, and writes the event that says so, as `audit_event_write`: `batch` also has `hold`, {action,
-- correlation_id, by, reason}, where `action` is `placed` or `released`. Returns {status}: `written` with {answer}, as
-- `audit_event_hold_json`; `moved`; or `unknown`, if there is no such correlation, or it is not held. A correlation that is held
-- already stays as it is, and nothing is written; nor is it if the same event did the same before.
CREATE OR REPLACE FUNCTION audit_event_hold(batch jsonb, events json) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    correlation CONSTANT text := batch -> 'hold' ->> 'correlation_id';
    is_placed   CONSTANT boolean := batch -> 'hold' ->> 'action' = 'placed';
    said        CONSTANT audit_event_post := json_populate_record(NULL::audit_event_post, events -> 0);
    chain       audit_event_chain;
    hold        audit_legal_hold;
    outcome     text;
BEGIN
    SELECT * INTO chain FROM audit_event_chain AS c WHERE c.correlation_id = correlation FOR NO KEY UPDATE;
    IF chain.chain_sequence = chain.anchor_sequence IS NOT FALSE THEN
        RETURN '{"status":"unknown"}';
    END IF;
    SELECT * INTO hold FROM audit_legal_hold AS h WHERE h.correlation_id = correlation;
    IF hold.releasing_event = said.event_id OR (is_placed AND hold.correlation_id IS NOT NULL AND hold.released_at IS NULL) THEN
        RETURN json_build_object('status', 'written', 'answer', audit_event_hold_json(hold, audit_event_count(chain)));
    ELSIF NOT is_placed AND (hold.correlation_id IS NULL OR hold.released_at IS NOT NULL) THEN
        RETURN '{"status":"unknown"}';
    END IF;

    outcome := audit_event_write(batch, events);
    IF outcome <> '{"status":"written"}' THEN
        RETURN outcome;
    END IF;
    IF is_placed THEN
        INSERT INTO audit_legal_hold AS h (correlation_id, reason, placed_by, placed_at, placing_event)
        VALUES (correlation, batch -> 'hold' ->> 'reason', batch -> 'hold' ->> 'by', said.event_timestamp, said.event_id)
        ON CONFLICT (correlation_id) DO UPDATE
        SET reason = excluded.reason,
            placed_by = excluded.placed_by,
            placed_at = excluded.placed_at,
            placing_event = excluded.placing_event,
            released_by = NULL,
            released_at = NULL,
            releasing_event = NULL,
            events_released = NULL,
            revision = DEFAULT
        RETURNING * INTO hold;
    ELSE
        UPDATE audit_legal_hold AS h
        SET released_by = batch -> 'hold' ->> 'by',
            released_at = said.event_timestamp,
            releasing_event = said.event_id,
            events_released = audit_event_count(chain),
            revision = DEFAULT
        WHERE h.correlation_id = correlation
        RETURNING * INTO hold;
        -- What stayed in these months because it was held may go.
        UPDATE audit_event_month AS m
        SET settled = false
        WHERE m.settled AND m.month BETWEEN audit_month(chain.first_sequence) AND audit_month(chain.last_sequence);
    END IF;
    RETURN json_build_object('status', 'written', 'answer', audit_event_hold_json(hold, audit_event_count(chain)));
END
$$;

-- All correlations that are held, the last one first, as the answer's body.
CREATE OR REPLACE FUNCTION audit_event_holds() RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_build_object(
        'holds', coalesce(json_agg(audit_event_hold_json(h, audit_event_count(c)) ORDER BY h.revision DESC), '[]'),
        'total', count(*)
    )::text
    FROM audit_legal_hold AS h
    JOIN audit_event_chain AS c ON c.correlation_id = h.correlation_id
    WHERE h.released_at IS NULL;
END;
