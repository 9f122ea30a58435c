-- Reading events: lists, and what the history of a target and the effectiveness of a remediation are made of.
--
-- The events of a correlation are looked for between the positions that its chain has, so that only its months are read, whatever
-- the log has beside them. Those plans are generic, as in 30_shown.sql. The planner does not know how few months that are, and
-- would have each statement compiled, which takes longer than all of it.

-- A filter as SQL about `e`, a row of `audit_event`: ` AND …` for each of its members. They are columns and the values that these
-- must have, `since` and `until` (times, both inclusive), `detail_key` and `detail_value` (of `event_data`), and
-- `include_unreadable`. The correlation is up to the caller.
CREATE OR REPLACE FUNCTION audit_event_conditions(filter jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN (filter ->> 'include_unreadable')::boolean THEN '' ELSE ' AND e.readable' END || (
    SELECT coalesce(string_agg(
        CASE key
            WHEN 'since' THEN format(' AND e.event_timestamp >= %L', value)
            WHEN 'until' THEN format(' AND e.event_timestamp <= %L', value)
            WHEN 'detail_key' THEN format(' AND e.event_data ->> %L = %L', value, filter ->> 'detail_value')
            ELSE format(' AND e.%I = %L', key, value)
        END, ''), '')
    FROM jsonb_each_text(filter) AS m (key, value)
    WHERE key <> ALL (ARRAY['correlation_id', 'detail_value', 'include_unreadable'])
);

-- The body of a list, from its rows and how many events match.
CREATE OR REPLACE FUNCTION audit_event_page(rows text[], total bigint, page_limit bigint, page_offset bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN concat(
    '{"data":[', array_to_string(rows, ','),
    '],"pagination":{"limit":', page_limit, ',"offset":', page_offset, ',"total":', total,
    ',"has_more":', to_json(page_offset + coalesce(cardinality(rows), 0) < total), '}}'
);

-- The positions of a page of the events that match conditions, and how many match. Planned anew, because each filter wants another
-- plan: where the index on times can tell what matches, no event is read for that.
CREATE OR REPLACE FUNCTION audit_event_find(
    conditions text, sorting text, page_limit bigint, page_offset bigint, OUT positions bigint[], OUT total bigint
)
LANGUAGE plpgsql STABLE SET jit = off
AS $$
BEGIN
    EXECUTE 'SELECT count(*) FROM audit_event AS e WHERE true' || conditions INTO total;
    EXECUTE format(
        'SELECT ARRAY(SELECT e.sequence FROM audit_event AS e WHERE true%s ORDER BY %s LIMIT %s OFFSET %s)',
        conditions, sorting, page_limit, page_offset
    ) INTO positions;
END
$$;

-- A list of events of all correlations.
CREATE OR REPLACE FUNCTION audit_event_list_all(filter jsonb, page_limit bigint, page_offset bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    rows  text[] := '{}';
    bytes bigint := 0;
    match record;
    body  text;
BEGIN
    SELECT * INTO match
    FROM audit_event_find(
        audit_event_conditions(filter), 'e.event_timestamp DESC, e.sequence DESC', page_limit, page_offset
    );
    FOR body IN
        SELECT r.body
        FROM unnest(match.positions) WITH ORDINALITY AS p (sequence, position)
        CROSS JOIN LATERAL (
            SELECT audit_event_shown(e, h) AS body
            FROM audit_event AS e
            LEFT JOIN audit_legal_hold AS h ON h.correlation_id = e.correlation_id AND h.released_at IS NULL
            WHERE e.sequence = p.sequence
            OFFSET 0
        ) AS r
        ORDER BY p.position
    LOOP
        bytes := bytes + octet_length(body);
        EXIT WHEN bytes > audit_page_bytes() AND cardinality(rows) > 0;
        rows := rows || body;
    END LOOP;
    RETURN audit_event_page(rows, match.total, page_limit, page_offset);
END
$$;

-- A list of the events of a correlation.
CREATE OR REPLACE FUNCTION audit_event_list_of(filter jsonb, page_limit bigint, page_offset bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    correlation CONSTANT text := filter ->> 'correlation_id';
    since       CONSTANT timestamptz := coalesce((filter ->> 'since')::timestamptz, '-infinity');
    until       CONSTANT timestamptz := coalesce((filter ->> 'until')::timestamptz, 'infinity');
    of_type     CONSTANT text := filter ->> 'event_type';
    of_category CONSTANT text := filter ->> 'event_category';
    of_outcome  CONSTANT text := filter ->> 'event_outcome';
    of_severity CONSTANT text := filter ->> 'severity';
    detail      CONSTANT text := filter ->> 'detail_key';
    wanted      CONSTANT text := filter ->> 'detail_value';
    unreadable  CONSTANT boolean := coalesce((filter ->> 'include_unreadable')::boolean, false);
    chain       audit_event_chain;
    rows        text[] := '{}';
    bytes       bigint := 0;
    total       bigint;
    body        text;
BEGIN
    SELECT * INTO chain FROM audit_event_chain AS c WHERE c.correlation_id = correlation;
    SELECT count(*) INTO total
    FROM audit_event AS e
    WHERE e.correlation_id = correlation
        AND e.sequence BETWEEN chain.first_sequence AND chain.last_sequence
        AND e.event_timestamp BETWEEN since AND until
        AND (e.readable OR unreadable)
        AND (of_type IS NULL OR e.event_type = of_type)
        AND (of_category IS NULL OR e.event_category = of_category)
        AND (of_outcome IS NULL OR e.event_outcome = of_outcome)
        AND (of_severity IS NULL OR e.severity = of_severity)
        AND (detail IS NULL OR e.event_data ->> detail = wanted);
    FOR body IN
        SELECT audit_event_shown(e, h)
        FROM audit_event AS e
        LEFT JOIN audit_legal_hold AS h ON h.correlation_id = e.correlation_id AND h.released_at IS NULL
        WHERE e.correlation_id = correlation
            AND e.sequence BETWEEN chain.first_sequence AND chain.last_sequence
            AND e.event_timestamp BETWEEN since AND until
            AND (e.readable OR unreadable)
            AND (of_type IS NULL OR e.event_type = of_type)
            AND (of_category IS NULL OR e.event_category = of_category)
            AND (of_outcome IS NULL OR e.event_outcome = of_outcome)
            AND (of_severity IS NULL OR e.severity = of_severity)
            AND (detail IS NULL OR e.event_data ->> detail = wanted)
        ORDER BY e.event_timestamp DESC, e.sequence DESC
        LIMIT page_limit OFFSET page_offset
    LOOP
        bytes := bytes + octet_length(body);
        EXIT WHEN bytes > audit_page_bytes() AND cardinality(rows) > 0;
        rows := rows || body;
    END LOOP;
    RETURN audit_event_page(rows, total, page_limit, page_offset);
END
$$;

-- A page of the events that match a filter (see `audit_event_conditions`; also `correlation_id`), the newest first, as the answer's
-- body. A page that would be larger than the host takes ends early.
CREATE OR REPLACE FUNCTION audit_event_list(filter jsonb, page_limit bigint, page_offset bigint) RETURNS text
LANGUAGE sql STABLE
RETURN CASE
    WHEN filter ->> 'correlation_id' IS NULL THEN audit_event_list_all(filter, page_limit, page_offset)
    ELSE audit_event_list_of(filter, page_limit, page_offset)
END;

-- The events about the effectiveness of a remediation, in the order of the log, as a list of what `audit_event_json` shows; null
-- if there are none. From the chain's positions, which the caller has.
CREATE OR REPLACE FUNCTION audit_event_effects(chain audit_event_chain) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
BEGIN
    RETURN (
        SELECT '[' || string_agg(audit_event_json(e)::text, ',' ORDER BY e.sequence) || ']'
        FROM audit_event AS e
        WHERE e.correlation_id = chain.correlation_id
            AND e.sequence BETWEEN chain.first_sequence AND chain.last_sequence
            AND e.readable
            AND e.event_category = 'effectiveness'
    );
END
$$;

-- Those of a correlation.
CREATE OR REPLACE FUNCTION audit_event_effectiveness(correlation text) RETURNS text
LANGUAGE sql STABLE
RETURN (SELECT audit_event_effects(c) FROM audit_event_chain AS c WHERE c.correlation_id = correlation);

-- The event at a position, as `audit_event_json` shows it; null if it is gone. In a function of its own, because a plan that gets the
-- position from outside begins with one month; a join would begin with all of them, which takes longer than to read the event.
CREATE OR REPLACE FUNCTION audit_event_at(position_in_log bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
BEGIN
    RETURN (SELECT audit_event_json(e)::text FROM audit_event AS e WHERE e.sequence = position_in_log);
END
$$;

-- The remediations of a target that began from `from_time` on and before `until_time`, and before or after which its
-- specification had the present hash, the oldest first: {candidates: [{tier, event, effectiveness}]}, where `tier` is 1 for those
-- since `split` and 2 for those before, `event` is as in `audit_event_json` and `effectiveness` as in `audit_event_effects`.
CREATE OR REPLACE FUNCTION audit_event_history(
    target text, cluster text, present_hash text, from_time timestamptz, split timestamptz, until_time timestamptz
) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
    wanted  CONSTANT bytea := audit_event_digest(target);
    present CONSTANT bytea := audit_event_digest(present_hash);
BEGIN
    RETURN (
        SELECT concat(
            '{"candidates":[',
            string_agg(
                concat(
                    '{"tier":', CASE WHEN t.event_timestamp < split THEN 2 ELSE 1 END,
                    ',"event":', r.body,
                    ',"effectiveness":', coalesce(audit_event_effectiveness(t.correlation_id), '[]'), '}'
                ), ',' ORDER BY t.event_timestamp, t.sequence
            ),
            ']}'
        )
        FROM audit_event_target AS t
        CROSS JOIN LATERAL audit_event_at(t.sequence) AS r (body)
        WHERE t.target = wanted
            AND t.event_timestamp >= least(from_time, split)
            AND t.event_timestamp < until_time
            AND (cluster IS NULL OR t.cluster_id = cluster)
            AND (
                t.spec_hash = present
                OR EXISTS (
                    SELECT FROM audit_event_spec_hash AS s
                    WHERE s.correlation_id = t.correlation_id AND s.spec_hash = present
                )
            )
            AND r.body IS NOT NULL
    );
END
$$;
