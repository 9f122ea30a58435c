-- From events to records. The chains that have events of which records are yet to be made are in `audit_event_pending`. How far
-- that has come is in `audit_event_chain`, and changes together with the records.

-- What records are made of, of a chain: {correlation_id, upto, events}. `upto` is the last `chain_sequence` that is seen to by it.
-- Events are as in `audit_event_json`, in the chain's order: all of the types that records are made of, because only together they say
-- what a record is. If they are more than the host takes, or many, those in the middle are left out.
CREATE OR REPLACE FUNCTION audit_event_projection(correlation text) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    most   CONSTANT integer := 1000;
    room   CONSTANT bigint := audit_page_bytes() / 4;
    chain  audit_event_chain;
    event  record;
    events text[] := '{}';
    ending text[] := '{}';
    bytes  bigint := 0;
    begun  bigint := 0; -- the last position of those from the beginning
BEGIN
    SELECT * INTO chain FROM audit_event_chain AS c WHERE c.correlation_id = correlation;
    FOR event IN
        SELECT e.sequence, audit_event_json(e)::text AS body
        FROM audit_event AS e
        WHERE e.correlation_id = correlation
            AND e.sequence BETWEEN chain.first_sequence AND chain.last_sequence
            AND e.readable
            AND audit_event_is_projected(e.event_type)
        ORDER BY e.sequence
        LIMIT most
    LOOP
        bytes := bytes + octet_length(event.body);
        EXIT WHEN bytes > room AND cardinality(events) > 0;
        events := events || event.body;
        begun := event.sequence;
    END LOOP;
    bytes := 0;
    FOR event IN
        SELECT audit_event_json(e)::text AS body
        FROM audit_event AS e
        WHERE e.correlation_id = correlation
            AND e.sequence > begun
            AND e.sequence <= chain.last_sequence
            AND e.readable
            AND audit_event_is_projected(e.event_type)
        ORDER BY e.sequence DESC
        LIMIT most
    LOOP
        bytes := bytes + octet_length(event.body);
        EXIT WHEN bytes > room AND cardinality(ending) > 0;
        ending := event.body || ending;
    END LOOP;
    RETURN concat(
        '{"correlation_id":', to_json(correlation), ',"upto":', chain.chain_sequence,
        ',"events":[', array_to_string(events || ending, ','), ']}'
    );
END
$$;

-- Claims at most `chains` of those that wait, the first to come first, for half a minute, and returns an array of what
-- `audit_event_projection` says of each; null if none waits. Fewer, if they have much.
CREATE OR REPLACE FUNCTION audit_event_project_next(chains integer) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    -- Only locked until all is read: who writes to one of these chains would wait for a claim.
    waiting CONSTANT text[] := ARRAY(
        SELECT p.correlation_id
        FROM audit_event_pending AS p
        WHERE NOT audit_is_leased(p.claimed_until)
        ORDER BY p.since
        LIMIT chains
        FOR UPDATE SKIP LOCKED
    );
    parts   text[] := '{}';
    bytes   bigint := 0;
    name    text;
BEGIN
    FOREACH name IN ARRAY waiting LOOP
        EXIT WHEN bytes > audit_page_bytes() / 4;
        parts := parts || audit_event_projection(name);
        bytes := bytes + octet_length(parts[cardinality(parts)]);
    END LOOP;
    UPDATE audit_event_pending AS p
    SET claimed_until = clock_timestamp() + interval '30 seconds'
    WHERE p.correlation_id = ANY (waiting[:cardinality(parts)]);
    RETURN '[' || nullif(array_to_string(parts, ','), '') || ']';
END
$$;

-- Stores the records (`audit_post`) that were made of what `audit_event_projection` said, and how far the chain is seen to, both or
-- neither. Returns what `audit_write` does; null if the chain was seen to before.
CREATE OR REPLACE FUNCTION audit_event_projected(correlation text, upto bigint, posts jsonb, vector_db boolean) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    results text;
BEGIN
    IF EXISTS (SELECT FROM audit_event_chain AS c WHERE c.correlation_id = correlation AND c.projected < upto) THEN
        -- First, because it may wait, and whoever writes to the chain is not to wait with it.
        results := CASE WHEN posts = '[]' THEN '[]' ELSE audit_write(posts, false, vector_db) END;
        UPDATE audit_event_chain AS c
        SET projected = upto
        WHERE c.correlation_id = correlation AND c.projected < upto;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'somebody else has just made records of this chain' USING ERRCODE = 'serialization_failure';
        END IF;
    END IF;
    -- Who writes to the chain waits for this transaction, or its events are seen here.
    PERFORM FROM audit_event_chain AS c
    WHERE c.correlation_id = correlation AND c.projected = c.chain_sequence
    FOR NO KEY UPDATE;
    IF FOUND THEN
        DELETE FROM audit_event_pending AS p WHERE p.correlation_id = correlation;
    ELSE
        UPDATE audit_event_pending AS p SET claimed_until = DEFAULT WHERE p.correlation_id = correlation;
    END IF;
    RETURN results;
END
$$;

-- Has records made anew of at most `step` chains, those after `after`. Returns the last one; null if there is none.
CREATE OR REPLACE FUNCTION audit_event_project_again(after text, step integer) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    again text[] := ARRAY(
        SELECT c.correlation_id
        FROM audit_event_chain AS c
        WHERE c.correlation_id > after
        ORDER BY c.correlation_id
        LIMIT step
        FOR NO KEY UPDATE
    );
BEGIN
    UPDATE audit_event_chain AS c SET projected = 0 WHERE c.correlation_id = ANY (again) AND c.projected > 0;
    INSERT INTO audit_event_pending (correlation_id)
    SELECT name FROM unnest(again) AS name ORDER BY name
    ON CONFLICT (correlation_id) DO NOTHING;
    RETURN again[cardinality(again)];
END
$$;

-- How many events are yet to be seen to. Of up to 10 000 chains, because it is asked at each scrape.
CREATE OR REPLACE FUNCTION audit_event_lag() RETURNS bigint
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(sum(c.chain_sequence - c.projected), 0)::bigint
    FROM (SELECT p.correlation_id FROM audit_event_pending AS p LIMIT 10000) AS p
    JOIN audit_event_chain AS c ON c.correlation_id = p.correlation_id;
END;
