-- What readers see. The API hands these rows on as JSON, so names, order and formats here are the API's.

-- RFC 3339 in UTC with a trailing Z, the fraction trimmed. `to_json` rather than a cast: it does
-- not depend on DateStyle.
CREATE OR REPLACE FUNCTION audit_rfc3339(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (to_json(at AT TIME ZONE 'UTC') #>> '{}') || 'Z';

-- A record as JSON. Not declared strict, so that it is inlined and reads the columns directly. Made of a row, which
-- takes a quarter less than `json_build_object` with all names and values.
CREATE OR REPLACE FUNCTION audit_json(a audit) RETURNS json
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
CREATE OR REPLACE FUNCTION audit_state_json(a audit) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN audit_json(a)::jsonb || jsonb_build_object(
    'deleted_at', audit_rfc3339(a.deleted_at),
    'changed_by', a.changed_by
);

-- A remediation as an incident. What only some clients send is in the document, under either
-- spelling.
CREATE OR REPLACE FUNCTION incident_json(a audit) RETURNS json
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
CREATE OR REPLACE FUNCTION audit_page_bytes() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 32 * 1024 * 1024;

-- A record, as the answer's body; null if there is none. In a function for its plan: one for all records of a
-- kind, where planning anew would take longer than reading. A branch for each kind, because PostgreSQL locks and
-- sets up every month that a plan has, and of the other kinds' it is to have none.
CREATE OR REPLACE FUNCTION audit_get(record_kind text, record_id bigint) RETURNS text
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
CREATE OR REPLACE FUNCTION audit_incident(record_id bigint) RETURNS text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (SELECT incident_json(a)::text FROM audit AS a
            WHERE a.kind = 'remediation' AND a.id = record_id AND a.deleted_at IS NULL);
END
$$;
