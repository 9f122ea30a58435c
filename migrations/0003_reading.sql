-- What readers see. The API hands these rows on as JSON, so names, order and formats here are the
-- API's.

-- RFC 3339 in UTC with a trailing Z, the fraction trimmed. `to_json` rather than a cast: it does
-- not depend on DateStyle.
CREATE FUNCTION audit_rfc3339(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (to_json(at AT TIME ZONE 'UTC') #>> '{}') || 'Z';

-- A record in the API.
CREATE TYPE audit_shown AS (
    kind                   text,
    id                     bigint,
    name                   text,
    namespace              text,
    phase                  text,
    status                 text,
    action_type            text,
    alert_name             text,
    alert_fingerprint      text,
    severity               text,
    environment            text,
    cluster_name           text,
    target_resource        text,
    remediation_request_id text,
    correlation_id         text,
    start_time             text,
    end_time               text,
    duration               bigint,
    error_message          text,
    analysis_type          text,
    confidence_score       double precision,
    findings               jsonb,
    workflow_type          text,
    steps_completed        bigint,
    steps_total            bigint,
    action                 text,
    resource               text,
    metadata               jsonb,
    document               jsonb,
    embedding_model        text,
    version                integer,
    created_at             text,
    updated_at             text
);

-- A record as JSON. Not declared strict, so that it is inlined and reads the columns directly. Made of a row, which
-- takes a quarter less than `json_build_object` with all names and values.
CREATE FUNCTION audit_json(a audit) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN row_to_json(ROW(
    a.kind, a.id, a.name, a.namespace, a.phase, a.status, a.action_type, a.alert_name, a.alert_fingerprint,
    a.severity, a.environment, a.cluster_name, a.target_resource, a.remediation_request_id, a.correlation_id,
    audit_rfc3339(a.start_time), audit_rfc3339(a.end_time), a.duration, a.error_message, a.analysis_type,
    a.confidence_score, a.findings, a.workflow_type, a.steps_completed, a.steps_total, a.action, a.resource,
    a.metadata, a.document, nullif(a.embedding_model, ''), a.version, audit_rfc3339(a.created_at),
    audit_rfc3339(a.updated_at)
)::audit_shown);

-- A state of a record in the list of its versions.
CREATE FUNCTION audit_state_json(a audit) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN audit_json(a)::jsonb || jsonb_build_object(
    'deleted_at', audit_rfc3339(a.deleted_at),
    'changed_by', a.changed_by
);

-- A remediation as an incident. What only some clients send is in the document, under either
-- spelling.
CREATE FUNCTION incident_json(a audit) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'id', a.id,
    'action_history_id', a.document -> 'action_history_id',
    'action_id', coalesce(a.document ->> 'action_id', a.document ->> 'actionId', a.remediation_request_id),
    'alert_name', a.alert_name,
    'alert_severity', a.severity,
    'action_type', a.action_type,
    'action_timestamp', audit_rfc3339(a.start_time),
    'model_used', coalesce(a.document ->> 'model_used', a.document ->> 'llmModel'),
    'model_confidence', a.confidence_score,
    'execution_status', a.status,
    'namespace', a.namespace,
    'cluster', a.cluster_name,
    'environment', a.environment,
    'target_resource', a.target_resource
);

-- How large a page of records may become, in bytes. Spin refuses results of more than 128 MiB; a page
-- that would be larger than this ends early, and the reader goes on from there.
CREATE FUNCTION audit_page_bytes() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 32 * 1024 * 1024;

-- A filter as SQL about `a`, a row of `audit`: ` AND …` for each of its members. They are columns and the
-- values that these must have, and `kinds` (a list), `since` and `until` (ids). The values are in the text, or,
-- with `first_parameter`, are the parameters of that number and those after it, in the order of the members.
CREATE FUNCTION audit_conditions(filter jsonb, first_parameter integer DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE
RETURN (
    SELECT coalesce(string_agg(
        CASE
            WHEN key = 'kinds' THEN format(
                ' AND a.kind = ANY (%L)', ARRAY(SELECT jsonb_array_elements_text(value))
            )
            WHEN key = 'since' THEN format(' AND a.id >= %s::bigint', operand)
            WHEN key = 'until' THEN format(' AND a.id < %s::bigint', operand)
            ELSE format(' AND a.%I = %s', key, operand)
        END
        -- These two have no index but this one.
        || CASE WHEN key IN ('correlation_id', 'remediation_request_id') THEN format(
            ' AND (a.kind, a.id) IN (SELECT c.kind, c.id FROM audit_correlation AS c WHERE c.key = %s)',
            operand
        ) ELSE '' END, ''), '')
    FROM (
        SELECT key, value, coalesce('$' || first_parameter + position - 1, quote_literal(value #>> '{}')) AS operand
        FROM jsonb_each(filter) WITH ORDINALITY AS m (key, value, position)
    ) AS member
);

-- How the planner would read the records that match `filter`: its estimate of their number (`Plan Rows`)
-- and of the work (`Total Cost`). Volatile, because PostgreSQL allows EXPLAIN in no other function.
CREATE FUNCTION audit_plan(filter jsonb) RETURNS json
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) SELECT FROM audit AS a WHERE a.deleted_at IS NULL' || audit_conditions(filter)
    INTO plan;
    RETURN plan #> '{0,Plan}';
END
$$;

-- The planner's estimate of how many records of a kind match `filter`. For totals that would take too
-- long to count.
CREATE FUNCTION audit_estimate(kind text, filter jsonb) RETURNS bigint
LANGUAGE sql VOLATILE
RETURN (
    audit_plan(filter || jsonb_build_object('kinds', jsonb_build_array(kind))) ->> 'Plan Rows'
)::numeric::bigint;

-- The table of a kind.
CREATE FUNCTION audit_table(record_kind text) RETURNS regclass
LANGUAGE sql STABLE
RETURN CASE record_kind
    WHEN 'remediation' THEN 'remediation_audit'::regclass
    WHEN 'aianalysis' THEN 'ai_analysis_audit'::regclass
    WHEN 'workflow' THEN 'workflow_audit'::regclass
    WHEN 'execution' THEN 'execution_audit'::regclass
END;

-- How many records of a kind there are, as the planner knows it since the last analyze.
CREATE FUNCTION audit_size(record_kind text) RETURNS bigint
LANGUAGE sql STABLE
RETURN (
    SELECT sum(greatest(leaf.reltuples, 0))::bigint
    FROM pg_inherits AS month
    JOIN pg_class AS leaf ON leaf.oid = month.inhrelid
    WHERE month.inhparent = audit_table(record_kind)
);

-- Whether the index on namespaces alone tells which records match `filter`.
CREATE FUNCTION audit_is_covered(filter jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN filter ? 'namespace'
    AND filter ?| ARRAY['severity', 'status', 'phase', 'environment']
    AND filter - ARRAY['namespace', 'severity', 'status', 'phase', 'environment', 'since', 'until'] = '{}';

-- The statement of a list: $1 is the id before which it starts, $2 the filter, $3 how many records match if that
-- `is_known` well enough, and from $4 on the filter's values.
--
-- One statement for rows, total and cursor. One row more than asked is read, to know whether there is a next
-- page; a page also ends before it becomes larger than the host takes. Matching rows are counted up to
-- 100 000; beyond that the planner's estimate has to do. Kind, limit and offset are in the text: of the other
-- kinds' months the plan is to know nothing, and for parameters it would expect a tenth of all rows.
CREATE FUNCTION audit_list_statement(
    form text, record_kind text, filter jsonb, is_known boolean, page_limit bigint, page_offset bigint
) RETURNS text
LANGUAGE sql STABLE
RETURN format(
    $statement$
WITH page AS MATERIALIZED (
%6$s
), last AS MATERIALIZED (
    -- The last record of the page. The window has sizes only, because it copies what it has.
    SELECT min(id) AS id
    FROM (
        SELECT id, row_number() OVER newest_first AS position, sum(size) OVER newest_first AS bytes
        FROM (SELECT id, octet_length(body) AS size FROM page) AS p
        WINDOW newest_first AS (ORDER BY id DESC)
    ) AS p
    WHERE position <= %3$s AND (position = 1 OR bytes <= audit_page_bytes())
), counted AS MATERIALIZED (
    %2$s
), list AS (
    SELECT
        (SELECT string_agg(body, ',' ORDER BY id DESC) FROM page WHERE id >= (SELECT id FROM last)) AS rows,
        CASE WHEN n <= 100000 THEN n ELSE coalesce($3, greatest(n, audit_estimate(%5$L, $2))) END AS total,
        CASE WHEN n > 100000 THEN ',"total_is_estimate":true' END AS estimated,
        %3$s AS page_limit,
        %4$s AS page_offset,
        (SELECT id FROM last WHERE EXISTS (SELECT FROM page WHERE page.id < last.id)) AS next_cursor
    FROM counted
)
SELECT %1$s FROM list
$statement$,
    -- concat, because each || would copy the whole page. It leaves out what is null.
    CASE form
        WHEN 'audits' THEN
            $body$ concat(
                '{"audits":[', rows, '],"total":', total, estimated,
                ',"limit":', page_limit, ',"offset":', page_offset,
                ',"next_cursor":', coalesce('"' || next_cursor || '"', 'null'), '}'
            ) $body$
        ELSE
            $body$ concat(
                '{"data":[', rows, '],"pagination":{"limit":', page_limit, ',"offset":', page_offset,
                ',"total":', total, estimated,
                ',"has_more":', to_json(next_cursor IS NOT NULL),
                ',"next_cursor":', coalesce('"' || next_cursor || '"', 'null'), '}}'
            ) $body$
    END,
    CASE WHEN is_known THEN 'SELECT $3 AS n' ELSE format(
        'SELECT count(*) AS n FROM (SELECT FROM %s AS a WHERE a.deleted_at IS NULL%s LIMIT 100001) AS a',
        audit_table(record_kind),
        audit_conditions(filter, 4)
    ) END,
    page_limit,
    page_offset,
    record_kind,
    -- Where an index alone tells which records match, it is asked first, and only those of the page are read.
    -- Those that match may be far between.
    format(
        CASE WHEN audit_is_covered(filter) THEN
            $page$
    SELECT match.id, record.body
    FROM (
        SELECT a.id
        FROM %4$s AS a
        WHERE a.id < $1 AND a.deleted_at IS NULL%3$s
        ORDER BY a.id DESC
        LIMIT %5$s + 1 OFFSET %6$s
    ) AS match
    CROSS JOIN LATERAL (
        SELECT %1$s::text AS body FROM audit AS a WHERE a.kind = %2$L AND a.id = match.id OFFSET 0
    ) AS record
            $page$
        ELSE
            $page$
    SELECT a.id, %1$s::text AS body
    FROM audit AS a
    WHERE a.kind = %2$L AND a.id < $1 AND a.deleted_at IS NULL%3$s
    ORDER BY a.id DESC
    LIMIT %5$s + 1 OFFSET %6$s
            $page$
        END,
        CASE form WHEN 'audits' THEN 'audit_json(a)' ELSE 'incident_json(a)' END,
        record_kind,
        audit_conditions(filter, 4),
        audit_table(record_kind),
        page_limit,
        page_offset
    )
);

-- Prepares a list, and gives up those that this connection has if there are `most`: each takes memory.
CREATE FUNCTION audit_prepare_list(name text, statement text, most integer) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    prepared text[] := ARRAY(
        SELECT p.name FROM pg_prepared_statements AS p WHERE starts_with(p.name, 'audit_list_')
    );
    other    text;
BEGIN
    IF cardinality(prepared) >= most THEN
        FOREACH other IN ARRAY prepared LOOP
            EXECUTE format('DEALLOCATE %I', other);
        END LOOP;
    END IF;
    EXECUTE format('PREPARE %I (bigint, jsonb, bigint) AS %s', name, statement);
END
$$;

-- A page of the records of a kind that match `filter` (see `audit_conditions`; without `kinds`), newest first, as
-- the answer's body. `form` is `audits` or `incidents`; `before` is the id where the page before ended, or null.
--
-- All records of a kind are not counted where the planner knows of half as many again as are counted at most.
--
-- Planning takes longer than reading, because it looks at every month twice. The host prepares nothing, so the
-- statement is prepared here, for the connection's life and for all filters of the same members. Its plan does
-- not depend on their values. Without bitmaps it walks an index from the newest record on, which is right for
-- frequent values and for rare ones.
CREATE FUNCTION audit_list(
    form text, record_kind text, filter jsonb, before bigint, page_limit bigint, page_offset bigint
) RETURNS text
LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET enable_bitmapscan = off
AS $$
DECLARE
    known     bigint;
    members   text;
    arguments text;
    name      text;
    list      text;
    body      text;
BEGIN
    IF filter = '{}' THEN
        known := nullif(greatest(audit_size(record_kind), 150000), 150000);
    ELSE
        SELECT string_agg(f.key, ' '), string_agg(format(', %L', f.value), '') INTO members, arguments
        FROM jsonb_each_text(filter) AS f;
    END IF;
    name := 'audit_list_' || md5(concat_ws(
        ' ', form, record_kind, page_limit, page_offset, known IS NOT NULL, members
    ));
    list := format(
        'EXECUTE %I (%s, %L, %L%s)', name, coalesce(before, 9223372036854775807), filter, known, arguments
    );
    BEGIN
        EXECUTE list INTO body;
    EXCEPTION WHEN invalid_sql_statement_name THEN
        PERFORM audit_prepare_list(
            name,
            audit_list_statement(form, record_kind, filter, known IS NOT NULL, page_limit, page_offset),
            32
        );
        EXECUTE list INTO body;
    END;
    RETURN body;
END
$$;

-- A record, as the answer's body; null if there is none. In a function for its plan: one for all records of a
-- kind, where planning anew would take longer than reading. A branch for each kind, because PostgreSQL locks and
-- sets up every month that a plan has, and of the other kinds' it is to have none.
CREATE FUNCTION audit_get(record_kind text, record_id bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    CASE record_kind
        WHEN 'remediation' THEN
            RETURN (SELECT audit_json(a)::text FROM audit AS a
                    WHERE a.kind = 'remediation' AND a.id = record_id AND a.deleted_at IS NULL);
        WHEN 'aianalysis' THEN
            RETURN (SELECT audit_json(a)::text FROM audit AS a
                    WHERE a.kind = 'aianalysis' AND a.id = record_id AND a.deleted_at IS NULL);
        WHEN 'workflow' THEN
            RETURN (SELECT audit_json(a)::text FROM audit AS a
                    WHERE a.kind = 'workflow' AND a.id = record_id AND a.deleted_at IS NULL);
        WHEN 'execution' THEN
            RETURN (SELECT audit_json(a)::text FROM audit AS a
                    WHERE a.kind = 'execution' AND a.id = record_id AND a.deleted_at IS NULL);
        ELSE
            RETURN NULL;
    END CASE;
END
$$;

-- As `audit_get`, of a remediation as an incident.
CREATE FUNCTION audit_incident(record_id bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (SELECT incident_json(a)::text FROM audit AS a
            WHERE a.kind = 'remediation' AND a.id = record_id AND a.deleted_at IS NULL);
END
$$;

-- A page of the records of a correlation id or a remediation request, oldest first, as the answer's body.
-- Records are put in order first; only those of the page are made JSON of.
CREATE FUNCTION audit_timeline_page(
    correlation text, first_id bigint, last_id bigint, page_limit bigint, page_offset bigint
) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (
        WITH entry AS MATERIALIZED (
            SELECT c.kind, c.id, row_number() OVER (ORDER BY r.at, c.id) AS position, count(*) OVER () AS total
            FROM audit_correlation AS c
            CROSS JOIN LATERAL (
                SELECT coalesce(a.start_time, a.created_at) AS at
                FROM audit AS a
                WHERE a.kind = c.kind AND a.id = c.id
                    AND a.id BETWEEN first_id AND last_id
                    AND a.deleted_at IS NULL
                OFFSET 0
            ) AS r
            WHERE c.key = correlation
        ), page AS (
            SELECT e.position, r.body, sum(octet_length(r.body)) OVER (ORDER BY e.position) AS bytes
            FROM entry AS e
            CROSS JOIN LATERAL (
                SELECT audit_json(a)::text AS body
                FROM audit AS a
                WHERE a.kind = e.kind AND a.id = e.id AND a.id BETWEEN first_id AND last_id
                OFFSET 0
            ) AS r
            WHERE e.position > page_offset AND e.position - page_offset <= page_limit
        )
        SELECT concat(
            '{"correlation_id":', to_json(correlation),
            ',"audits":[',
            string_agg(body, ',' ORDER BY position)
                FILTER (WHERE position - 1 = page_offset OR bytes <= audit_page_bytes()),
            '],"total":', coalesce((SELECT total FROM entry LIMIT 1), 0),
            ',"limit":', page_limit, ',"offset":', page_offset, '}'
        )
        FROM page
    );
END
$$;

-- The same, for the usual case that all of them fit on the page: with nothing to count off, half the work.
--
-- In a function, because the plan reaches into every partition and is dear to make anew. The bounds of the ids
-- leave it one or two months to look at; OFFSET keeps the planner from reading everything between them.
CREATE FUNCTION audit_timeline(correlation text, page_limit bigint, page_offset bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    records  bigint;
    first_id bigint;
    last_id  bigint;
    body     text;
BEGIN
    SELECT count(*), min(c.id), max(c.id) INTO records, first_id, last_id
    FROM audit_correlation AS c
    WHERE c.key = correlation;

    IF page_offset = 0 AND records <= page_limit THEN
        SELECT concat(
            '{"correlation_id":', to_json(correlation),
            ',"audits":[', string_agg(r.body, ',' ORDER BY r.at, c.id),
            '],"total":', count(*), ',"limit":', page_limit, ',"offset":0}'
        )
        INTO body
        FROM audit_correlation AS c
        CROSS JOIN LATERAL (
            SELECT coalesce(a.start_time, a.created_at) AS at, audit_json(a)::text AS body
            FROM audit AS a
            WHERE a.kind = c.kind AND a.id = c.id
                AND a.id BETWEEN first_id AND last_id
                AND a.deleted_at IS NULL
            OFFSET 0
        ) AS r
        WHERE c.key = correlation;
    END IF;
    IF body IS NULL OR octet_length(body) > audit_page_bytes() THEN
        body := audit_timeline_page(correlation, first_id, last_id, page_limit, page_offset);
    END IF;
    RETURN body;
END
$$;
