-- What readers see. The API hands these rows on as JSON, so names, order and formats here are the
-- API's.

-- RFC 3339 in UTC with a trailing Z, the fraction trimmed. `to_json` rather than a cast: it does
-- not depend on DateStyle.
CREATE FUNCTION audit_rfc3339(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (to_json(at AT TIME ZONE 'UTC') #>> '{}') || 'Z';

-- A record in the API. Not declared strict, so that it is inlined and reads the columns directly.
CREATE FUNCTION audit_json(a audit) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN json_build_object(
    'kind', a.kind,
    'id', a.id,
    'name', a.name,
    'namespace', a.namespace,
    'phase', a.phase,
    'status', a.status,
    'action_type', a.action_type,
    'alert_name', a.alert_name,
    'alert_fingerprint', a.alert_fingerprint,
    'severity', a.severity,
    'environment', a.environment,
    'cluster_name', a.cluster_name,
    'target_resource', a.target_resource,
    'remediation_request_id', a.remediation_request_id,
    'correlation_id', a.correlation_id,
    'start_time', audit_rfc3339(a.start_time),
    'end_time', audit_rfc3339(a.end_time),
    'duration', a.duration,
    'error_message', a.error_message,
    'analysis_type', a.analysis_type,
    'confidence_score', a.confidence_score,
    'findings', a.findings,
    'workflow_type', a.workflow_type,
    'steps_completed', a.steps_completed,
    'steps_total', a.steps_total,
    'action', a.action,
    'resource', a.resource,
    'metadata', a.metadata,
    'document', a.document,
    'embedding_model', nullif(a.embedding_model, ''),
    'version', a.version,
    'created_at', audit_rfc3339(a.created_at),
    'updated_at', audit_rfc3339(a.updated_at)
);

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

-- How many records of a kind there are, as the planner knows it since the last analyze.
CREATE FUNCTION audit_size(record_kind text) RETURNS bigint
LANGUAGE sql STABLE
RETURN (
    SELECT sum(greatest(leaf.reltuples, 0))::bigint
    FROM pg_inherits AS month
    JOIN pg_class AS leaf ON leaf.oid = month.inhrelid
    WHERE month.inhparent = CASE record_kind
        WHEN 'remediation' THEN 'remediation_audit'::regclass
        WHEN 'aianalysis' THEN 'ai_analysis_audit'::regclass
        WHEN 'workflow' THEN 'workflow_audit'::regclass
        WHEN 'execution' THEN 'execution_audit'::regclass
    END
);

-- The statement of a list: $1 is the id before which it starts, $2 the filter, and from $3 on its values.
--
-- One statement for rows, total and cursor. One row more than asked is read, to know whether there is a next
-- page; a page also ends before it becomes larger than the host takes. Matching rows are counted up to
-- 100 000; beyond that the planner's estimate has to do. All records of a kind are not even counted where
-- their tables are known to have half as many again. Kind, limit and offset are in the text: of the other
-- kinds' months the plan is to know nothing, and for parameters it would expect a tenth of all rows.
CREATE FUNCTION audit_list_statement(
    form text, record_kind text, filter jsonb, page_limit bigint, page_offset bigint
) RETURNS text
LANGUAGE sql STABLE
RETURN format(
    $statement$
WITH page AS MATERIALIZED (
    SELECT a.id, %1$s AS body
    FROM audit AS a
    WHERE a.kind = %6$L AND a.id < $1 AND a.deleted_at IS NULL%3$s
    ORDER BY a.id DESC
    LIMIT %4$s + 1 OFFSET %5$s
), shown AS (
    SELECT id, body
    FROM (
        SELECT
            id,
            body,
            row_number() OVER newest_first AS position,
            sum(octet_length(body::text)) OVER newest_first AS bytes
        FROM page
        WINDOW newest_first AS (ORDER BY id DESC)
    ) AS p
    WHERE position <= %4$s AND (position = 1 OR bytes <= audit_page_bytes())
), counted AS MATERIALIZED (
    SELECT
        known,
        CASE
            WHEN known > 150000 THEN known
            ELSE (
                SELECT count(*)
                FROM (SELECT FROM audit AS a WHERE a.kind = %6$L AND a.deleted_at IS NULL%3$s LIMIT 100001) AS a
            )
        END AS n
    FROM (SELECT CASE WHEN $2 = '{}' THEN audit_size(%6$L) END AS known) AS s
), list AS (
    SELECT
        (SELECT coalesce(json_agg(body ORDER BY id DESC), '[]')::text FROM shown) AS rows,
        CASE WHEN n <= 100000 THEN n ELSE greatest(n, coalesce(known, audit_estimate(%6$L, $2))) END AS total,
        CASE WHEN n <= 100000 THEN '' ELSE ',"total_is_estimate":true' END AS estimated,
        %4$s AS page_limit,
        %5$s AS page_offset,
        CASE
            WHEN (SELECT count(*) FROM page) > (SELECT count(*) FROM shown) THEN (SELECT min(id) FROM shown)
        END AS next_cursor
    FROM counted
)
SELECT %2$s FROM list
$statement$,
    CASE form WHEN 'audits' THEN 'audit_json(a)' ELSE 'incident_json(a)' END,
    CASE form
        WHEN 'audits' THEN
            $body$ '{"audits":' || rows || ',"total":' || total || estimated
            || ',"limit":' || page_limit || ',"offset":' || page_offset
            || ',"next_cursor":' || coalesce('"' || next_cursor || '"', 'null') || '}' $body$
        ELSE
            $body$ '{"data":' || rows
            || ',"pagination":{"limit":' || page_limit || ',"offset":' || page_offset
            || ',"total":' || total || estimated
            || ',"has_more":' || CASE WHEN next_cursor IS NULL THEN 'false' ELSE 'true' END
            || ',"next_cursor":' || coalesce('"' || next_cursor || '"', 'null') || '}}' $body$
    END,
    audit_conditions(filter, 3),
    page_limit,
    page_offset,
    record_kind
);

-- Gives up the lists that this connection has prepared, if there are `most`.
CREATE FUNCTION audit_forget_lists(most integer) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    prepared text[] := ARRAY(
        SELECT p.name FROM pg_prepared_statements AS p WHERE starts_with(p.name, 'audit_list_')
    );
    list     text;
BEGIN
    IF cardinality(prepared) >= most THEN
        FOREACH list IN ARRAY prepared LOOP
            EXECUTE format('DEALLOCATE %I', list);
        END LOOP;
    END IF;
END
$$;

-- A page of the records of a kind that match `filter` (see `audit_conditions`; without `kinds`), newest first, as
-- the answer's body. `form` is `audits` or `incidents`; `before` is the id where the page before ended, or null.
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
    most      CONSTANT integer := 32; -- prepared at a time: each takes memory
    members   text := (SELECT string_agg(key, ' ') FROM jsonb_object_keys(filter) AS key);
    list      text := 'audit_list_' || md5(concat_ws(' ', form, record_kind, page_limit, page_offset, members));
    arguments text := (SELECT string_agg(format(', %L', value), '') FROM jsonb_each_text(filter));
    body      text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_prepared_statements AS p WHERE p.name = list) THEN
        PERFORM audit_forget_lists(most);
        EXECUTE format('PREPARE %I (bigint, jsonb) AS ', list)
            || audit_list_statement(form, record_kind, filter, page_limit, page_offset);
    END IF;
    EXECUTE format(
        'EXECUTE %I (%s, %L%s)', list, coalesce(before, 9223372036854775807), filter, arguments
    ) INTO body;
    RETURN body;
END
$$;

-- A record of a kind, as the answer's body; null if there is none. In a function for its plan: one for all
-- records, where planning anew would take longer than reading.
CREATE FUNCTION audit_get(record_kind text, record_id bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (
        SELECT audit_json(a)::text
        FROM audit AS a
        WHERE a.kind = record_kind AND a.id = record_id AND a.deleted_at IS NULL
    );
END
$$;

-- As `audit_get`, of a remediation as an incident.
CREATE FUNCTION audit_incident(record_id bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (
        SELECT incident_json(a)::text
        FROM audit AS a
        WHERE a.kind = 'remediation' AND a.id = record_id AND a.deleted_at IS NULL
    );
END
$$;

-- All records of a correlation id or a remediation request, oldest first, as the answer's body.
-- In a function, because the plan reaches into every partition and is dear to make anew. The bounds of the
-- ids leave it one or two months to look at.
CREATE FUNCTION audit_timeline(correlation text, page_limit bigint, page_offset bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    first_id bigint;
    last_id  bigint;
BEGIN
    SELECT min(c.id), max(c.id) INTO first_id, last_id FROM audit_correlation AS c WHERE c.key = correlation;
    RETURN (
        SELECT '{"correlation_id":' || to_json(correlation)
            || ',"audits":' || coalesce(json_agg(body ORDER BY position) FILTER (WHERE shown), '[]')
            || ',"total":' || count(*)
            || ',"limit":' || page_limit
            || ',"offset":' || page_offset || '}'
        FROM (
            SELECT
                position,
                body,
                body IS NOT NULL AND (
                    position - 1 = page_offset
                    OR sum(octet_length(body::text)) OVER (ORDER BY position) <= audit_page_bytes()
                ) AS shown
            FROM (
                SELECT
                    position,
                    CASE
                        WHEN position > page_offset AND position - page_offset <= page_limit THEN audit_json(a)
                    END AS body
                FROM (
                    SELECT r.a, row_number() OVER (ORDER BY coalesce((r.a).start_time, (r.a).created_at), c.id) AS position
                    FROM audit_correlation AS c
                    -- OFFSET keeps the planner from reading everything between the bounds.
                    CROSS JOIN LATERAL (
                        SELECT a
                        FROM audit AS a
                        WHERE a.kind = c.kind AND a.id = c.id
                            AND a.id BETWEEN first_id AND last_id
                            AND a.deleted_at IS NULL
                        OFFSET 0
                    ) AS r
                    WHERE c.key = correlation
                ) AS found
            ) AS page
        ) AS entry
    );
END
$$;
