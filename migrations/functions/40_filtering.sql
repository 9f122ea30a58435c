-- Filters, and what the planner knows about what matches them.

-- A filter as SQL about `a`, a row of `audit`: ` AND …` for each of its members. They are columns and the
-- values that these must have, and `kinds` (a list), `since` and `until` (ids). The values are in the text, or,
-- with `first_parameter`, are the parameters of that number and those after it, in the order of the members.
CREATE OR REPLACE FUNCTION audit_conditions(filter jsonb, first_parameter integer DEFAULT NULL) RETURNS text
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
CREATE OR REPLACE FUNCTION audit_plan(filter jsonb) RETURNS json
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
CREATE OR REPLACE FUNCTION audit_estimate(kind text, filter jsonb) RETURNS bigint
LANGUAGE sql VOLATILE
RETURN (
    audit_plan(filter || jsonb_build_object('kinds', jsonb_build_array(kind))) ->> 'Plan Rows'
)::numeric::bigint;

-- The columns that a filter may compare, as it writes them.
CREATE OR REPLACE FUNCTION audit_filterable(a audit) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN jsonb_build_object(
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
    'remediation_request_id', a.remediation_request_id,
    'correlation_id', a.correlation_id
);
