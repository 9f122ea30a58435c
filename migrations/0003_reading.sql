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
-- values that these must have, and `kinds` (a list), `since` and `until` (ids).
CREATE FUNCTION audit_conditions(filter jsonb) RETURNS text
LANGUAGE sql STABLE
RETURN (
    SELECT coalesce(string_agg(
        CASE
            WHEN key = 'kinds' THEN format(
                ' AND a.kind = ANY (%L)', ARRAY(SELECT jsonb_array_elements_text(value))
            )
            WHEN key = 'since' THEN format(' AND a.id >= %L', value #>> '{}')
            WHEN key = 'until' THEN format(' AND a.id < %L', value #>> '{}')
            ELSE format(' AND a.%I = %L', key, value #>> '{}')
        END
        -- These two have no index but this one.
        || CASE WHEN key IN ('correlation_id', 'remediation_request_id') THEN format(
            ' AND (a.kind, a.id) IN (SELECT c.kind, c.id FROM audit_correlation AS c WHERE c.key = %L)',
            value #>> '{}'
        ) ELSE '' END, ''), '')
    FROM jsonb_each(filter)
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

-- All records of a correlation id or a remediation request, oldest first, as the answer's body.
-- In a function, because the plan reaches into every partition and is dear to make anew.
CREATE FUNCTION audit_timeline(correlation text, page_limit bigint, page_offset bigint) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    entries text;
    total   bigint;
BEGIN
    SELECT count(*)
    INTO total
    FROM audit_correlation AS c
    JOIN audit AS a ON a.kind = c.kind AND a.id = c.id
    WHERE c.key = correlation AND a.deleted_at IS NULL;

    SELECT coalesce(json_agg(body ORDER BY position), '[]')::text
    INTO entries
    FROM (
        SELECT body, position, sum(octet_length(body::text)) OVER (ORDER BY position) AS bytes
        FROM (
            SELECT
                audit_json(a) AS body,
                row_number() OVER (ORDER BY coalesce(a.start_time, a.created_at), a.id) AS position
            FROM audit_correlation AS c
            JOIN audit AS a ON a.kind = c.kind AND a.id = c.id
            WHERE c.key = correlation AND a.deleted_at IS NULL
            ORDER BY position
            LIMIT page_limit OFFSET page_offset
        ) AS page
    ) AS entry
    WHERE position - 1 = page_offset OR bytes <= audit_page_bytes();

    RETURN '{"correlation_id":' || to_json(correlation)
        || ',"audits":' || entries
        || ',"total":' || total
        || ',"limit":' || page_limit
        || ',"offset":' || page_offset || '}';
END
$$;
