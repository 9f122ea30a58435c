-- Writing events. The key of the chains' hashes is not here but with the service, so a batch takes two statements: one that says
-- where the chains end and which positions its events have, and one that writes them, if the chains still end there.
--
-- That one makes new chains, then locks the others, both in one order, then claims the key of the batch. Nobody waits for a chain that
-- somebody else has made once all of its own are made, so nobody waits for each other in a circle.

-- `count` positions for new events, in ascending order: of now, and above `floor`, also after the clock was set back.
CREATE OR REPLACE FUNCTION audit_event_sequences(count integer, floor bigint) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN (
        WITH drawn AS MATERIALIZED (
            SELECT audit_next_id() AS id FROM generate_series(1, count)
        ), shifted AS (
            -- By whole milliseconds, so that the lower bits still tell those of one millisecond apart.
            SELECT d.id + (greatest(((floor - min(d.id) OVER ()) >> 12) + 1, 0) << 12) AS id FROM drawn AS d
        ), numbered AS (
            SELECT s.id, row_number() OVER (ORDER BY s.id) AS position FROM shifted AS s
        )
        SELECT coalesce(array_agg(n.sequence ORDER BY n.sequence), '{}')
        FROM (
            -- Should two be the same, the second one is moved by one.
            SELECT position + max(id - position) OVER (ORDER BY position) AS sequence FROM numbered
        ) AS n
    );
END
$$;

-- Where the chains of these correlations end, and positions for `count` events after that, as {chains: {correlation:
-- {chain_sequence, event_hash}}, sequences}. A correlation that has no event yet is not there.
CREATE OR REPLACE FUNCTION audit_event_places(correlations jsonb, count integer) RETURNS text
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (
        SELECT json_build_object(
            'chains', coalesce(
                json_object_agg(
                    c.correlation_id,
                    json_build_object('chain_sequence', c.chain_sequence, 'event_hash', encode(c.event_hash, 'hex'))
                ),
                '{}'
            ),
            'sequences', audit_event_sequences(count, coalesce(max(c.last_sequence), 0))
        )
        FROM audit_event_chain AS c
        WHERE c.correlation_id = ANY (ARRAY(SELECT jsonb_array_elements_text(correlations)))
    );
END
$$;

-- How long a batch is remembered.
CREATE OR REPLACE FUNCTION audit_event_memory() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN interval '24 hours';

-- The ids of a batch that was written already, as {event_ids}; null if there was none.
CREATE OR REPLACE FUNCTION audit_event_remembered(batch_key bytea) RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN (
        SELECT json_build_object('event_ids', b.event_ids)::text
        FROM audit_event_batch AS b
        WHERE b.key = batch_key AND b.written_at >= clock_timestamp() - audit_event_memory()
    );
END
$$;

-- Claims the key of a batch with the ids of all that it has, and waits for whoever is writing the same batch. If it was written
-- already, its ids, as `audit_event_remembered`.
CREATE OR REPLACE FUNCTION audit_event_claim(batch_key bytea, ids jsonb) RETURNS text
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO audit_event_batch AS b (key, event_ids, written_at)
    VALUES (batch_key, ARRAY(SELECT jsonb_array_elements_text(ids))::uuid[], clock_timestamp())
    ON CONFLICT (key) DO UPDATE
    SET event_ids = excluded.event_ids, written_at = excluded.written_at
    WHERE b.written_at < clock_timestamp() - audit_event_memory();
    IF FOUND THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT json_build_object('event_ids', b.event_ids)::text FROM audit_event_batch AS b WHERE b.key = batch_key);
END
$$;

-- Before anything of a batch is made: {event_ids} if it is remembered, or else as `audit_event_places`. Without a key it is never
-- remembered.
CREATE OR REPLACE FUNCTION audit_event_prepare(batch_key bytea, correlations jsonb, count integer) RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN coalesce(audit_event_remembered(batch_key), audit_event_places(correlations, count));
END
$$;

-- What these events do to each chain.
CREATE OR REPLACE FUNCTION audit_event_growths(rows audit_event_post[]) RETURNS audit_event_growth[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY(
    SELECT (
        r.correlation_id,
        min(r.chain_sequence) - 1,
        decode((array_agg(r.previous_event_hash ORDER BY r.sequence))[1], 'hex'),
        max(r.chain_sequence),
        decode((array_agg(r.event_hash ORDER BY r.sequence DESC))[1], 'hex'),
        min(r.sequence),
        max(r.sequence)
    )::audit_event_growth
    FROM unnest(rows) AS r
    GROUP BY r.correlation_id
);

-- Makes the chains that these events begin, and locks the others. False if a chain does not end where the events go on.
CREATE OR REPLACE FUNCTION audit_event_take(growths audit_event_growth[]) RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    begun    CONSTANT integer := (SELECT count(*) FROM unnest(growths) AS g WHERE g.length_before = 0);
    made     integer := 0;
    matching integer := 0;
BEGIN
    IF begun > 0 THEN
        INSERT INTO audit_event_chain (correlation_id, chain_sequence, event_hash, first_sequence, last_sequence)
        SELECT g.correlation_id, g.length_after, g.hash_after, g.first_sequence, g.last_sequence
        FROM unnest(growths) AS g
        WHERE g.length_before = 0
        ORDER BY g.correlation_id
        ON CONFLICT (correlation_id) DO NOTHING;
        GET DIAGNOSTICS made = ROW_COUNT;
    END IF;
    IF made = begun AND begun < cardinality(growths) THEN
        SELECT count(*) FILTER (WHERE l.chain_sequence = l.length_before AND l.event_hash = l.hash_before) INTO matching
        FROM (
            SELECT c.chain_sequence, c.event_hash, g.length_before, g.hash_before
            FROM unnest(growths) AS g
            JOIN audit_event_chain AS c ON c.correlation_id = g.correlation_id
            WHERE g.length_before > 0
            ORDER BY c.correlation_id
            FOR NO KEY UPDATE OF c
        ) AS l;
    END IF;
    IF made > 0 AND made + matching < cardinality(growths) THEN
        -- What was made must not stay.
        RAISE EXCEPTION 'somebody else has just written to one of these chains' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN made + matching = cardinality(growths);
END
$$;

-- Lets chains grow that are locked.
CREATE OR REPLACE FUNCTION audit_event_grow(growths audit_event_growth[]) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE audit_event_chain AS c
    SET chain_sequence = g.length_after,
        event_hash = g.hash_after,
        first_sequence = CASE WHEN c.chain_sequence = c.anchor_sequence THEN g.first_sequence ELSE c.first_sequence END,
        last_sequence = g.last_sequence
    FROM unnest(growths) AS g
    WHERE c.correlation_id = g.correlation_id AND g.length_before > 0;
END
$$;

-- Whether records are made of events of that type (`project` in crates/events).
CREATE OR REPLACE FUNCTION audit_event_is_projected(event_type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN event_type IN (
        'gateway.signal.received', 'gateway.crd.created', 'apifrontend.rr.created',
        'aianalysis.analysis.completed', 'aianalysis.analysis.failed', 'aiagent.rca.complete', 'aiagent.response.complete',
        'remediation.workflow_created'
    )
    OR starts_with(event_type, 'signalprocessing.')
    OR starts_with(event_type, 'workflowexecution.')
    OR starts_with(event_type, 'orchestrator.lifecycle.')
    OR starts_with(event_type, 'effectiveness.');

-- What a target, or the hash of a specification, is known by.
CREATE OR REPLACE FUNCTION audit_event_digest(value text) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256(convert_to(value, 'UTF8'));

-- Notes where events of these are found that nobody could find by their correlation.
CREATE OR REPLACE FUNCTION audit_event_note(rows audit_event_post[]) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO audit_event_target (sequence, correlation_id, target, event_timestamp, cluster_id, spec_hash)
    SELECT
        r.sequence, r.correlation_id, audit_event_digest(r.event_data ->> 'target_resource'), r.event_timestamp, r.cluster_id,
        audit_event_digest(r.event_data ->> 'pre_remediation_spec_hash')
    FROM unnest(rows) AS r
    WHERE r.readable AND r.event_type = 'remediation.workflow_created' AND r.event_data ->> 'target_resource' IS NOT NULL;

    INSERT INTO audit_event_spec_hash AS s (correlation_id, spec_hash, sequence)
    SELECT r.correlation_id, h.spec_hash, max(r.sequence)
    FROM unnest(rows) AS r
    CROSS JOIN LATERAL (SELECT audit_event_digest(r.event_data ->> 'post_remediation_spec_hash') AS spec_hash) AS h
    WHERE r.readable AND r.event_category = 'effectiveness' AND h.spec_hash IS NOT NULL
    GROUP BY r.correlation_id, h.spec_hash
    ON CONFLICT (correlation_id, spec_hash) DO UPDATE SET sequence = greatest(s.sequence, excluded.sequence);
END
$$;

-- Has records made of these chains, if they are not waiting for that already.
CREATE OR REPLACE FUNCTION audit_event_announce(rows audit_event_post[]) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO audit_event_pending (correlation_id)
    SELECT DISTINCT r.correlation_id
    FROM unnest(rows) AS r
    WHERE r.readable AND audit_event_is_projected(r.event_type)
    ORDER BY r.correlation_id
    ON CONFLICT (correlation_id) DO NOTHING;
END
$$;

-- Tells retention of events that are in their months by now: so whoever takes one of these months out either waits for them or
-- learns of them. After a clock was set back that may be a month that has ended, and is archived: its archive lacks them.
CREATE OR REPLACE FUNCTION audit_event_keep(first bigint, last bigint, days integer) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO audit_event_month AS m (month, longest)
    SELECT v.month, days
    FROM (SELECT audit_month(first) UNION SELECT audit_month(last)) AS v (month)
    WHERE NOT EXISTS (
        SELECT FROM audit_event_month AS k
        WHERE k.month = v.month AND k.longest >= days AND NOT k.leaving AND NOT k.settled
    )
    ORDER BY v.month
    ON CONFLICT (month) DO UPDATE SET longest = greatest(m.longest, excluded.longest), leaving = false, settled = false;
    UPDATE audit_retention AS r
    SET changed = true
    WHERE r.kind = 'events' AND r.month IN (audit_month(first), audit_month(last)) AND NOT r.changed;
END
$$;

-- Puts aside what could not be an event. Again, if the statement is repeated, but only once.
CREATE OR REPLACE FUNCTION audit_event_set_aside(entries jsonb, caller text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO audit_event_quarantine (event_id, id, position, field, reason, message, caller, text)
    SELECT q.event_id, audit_next_id(), q.position, q.field, q.reason, q.message, audit_event_set_aside.caller, q.text
    FROM jsonb_to_recordset(entries) AS q (
        event_id uuid, position integer, field text, reason text, message text, text text
    )
    ON CONFLICT (event_id) DO NOTHING;
END
$$;

-- Writes the events of a batch (an array of `audit_event_post`) that were made for the places that `audit_event_prepare` named.
-- `batch` has `key`, null if it is not to be remembered, `event_ids` of all that it has, `caller`, and `quarantine`, an array of
-- {event_id, position, field, reason, message, text}. Returns {status}: `written`; `moved`, if a chain has grown meanwhile, or `remembered` with {event_ids}, if the batch was
-- written already: nothing is, then.
CREATE OR REPLACE FUNCTION audit_event_write(batch jsonb, events json) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    batch_key CONSTANT bytea := (batch ->> 'key')::bytea;
    rows      CONSTANT audit_event_post[] := ARRAY(
        SELECT e FROM json_populate_recordset(NULL::audit_event_post, events) AS e
    );
    growths   CONSTANT audit_event_growth[] := audit_event_growths(rows);
    written   text;
    has       record;
BEGIN
    IF NOT audit_event_take(growths) THEN
        RETURN '{"status":"moved"}';
    END IF;
    IF batch_key IS NOT NULL THEN
        written := audit_event_claim(batch_key, batch -> 'event_ids');
    END IF;
    IF written IS NOT NULL THEN
        IF EXISTS (SELECT FROM unnest(growths) AS g WHERE g.length_before = 0) THEN
            RAISE EXCEPTION 'the batch is written, but one of its chains was not' USING ERRCODE = 'serialization_failure';
        END IF;
        RETURN jsonb_build_object('status', 'remembered') || written::jsonb;
    END IF;
    IF jsonb_array_length(batch -> 'quarantine') > 0 THEN
        PERFORM audit_event_set_aside(batch -> 'quarantine', batch ->> 'caller');
    END IF;
    IF cardinality(rows) = 0 THEN
        RETURN '{"status":"written"}';
    END IF;
    PERFORM audit_event_grow(growths);

    INSERT INTO audit_event (
        sequence, chain_sequence, event_timestamp, event_id, retention_days, duration_ms, is_sensitive, readable, clock_skew,
        correlation_id, version, event_type, event_category, event_action, event_outcome, severity, actor_type, actor_id,
        actor_ip, resource_type, resource_id, namespace, cluster_id, error_code, error_message, parent_event_id,
        parent_event_date, hash_algorithm, chain_key_id, event_hash, previous_event_hash, event_data, extra
    )
    SELECT
        r.sequence, r.chain_sequence, r.event_timestamp, r.event_id, r.retention_days, r.duration_ms, r.is_sensitive,
        r.readable, coalesce(r.clock_skew, false), r.correlation_id, r.version, r.event_type, r.event_category,
        r.event_action, r.event_outcome, r.severity, r.actor_type, r.actor_id, r.actor_ip, r.resource_type, r.resource_id,
        r.namespace, r.cluster_id, r.error_code, r.error_message, r.parent_event_id, r.parent_event_date,
        r.hash_algorithm, r.chain_key_id, decode(r.event_hash, 'hex'), decode(r.previous_event_hash, 'hex'), r.event_data,
        r.extra
    FROM unnest(rows) AS r;

    SELECT
        min(r.sequence) AS first,
        max(r.sequence) AS last,
        max(r.retention_days) AS days,
        bool_or(r.event_type = 'remediation.workflow_created' OR r.event_category = 'effectiveness') AS places,
        bool_or(audit_event_is_projected(r.event_type)) AS news
    INTO has
    FROM unnest(rows) AS r;
    IF has.places THEN
        PERFORM audit_event_note(rows);
    END IF;
    IF has.news THEN
        PERFORM audit_event_announce(rows);
    END IF;
    PERFORM audit_event_keep(has.first, has.last, has.days);
    RETURN '{"status":"written"}';
END
$$;
