-- Events as the API shows them.

-- An event as it is exported and as its hash covers it, with the hash. What it has not is absent. Not declared strict, so that it
-- is inlined and reads the columns directly.
CREATE OR REPLACE FUNCTION audit_event_json(e audit_event) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN JSON_OBJECT(
    'event_id': e.event_id,
    'event_timestamp': audit_rfc3339(e.event_timestamp),
    'event_date': left(audit_rfc3339(e.event_timestamp), 10),
    'sequence': e.sequence,
    'chain_sequence': e.chain_sequence,
    'version': e.version,
    'event_type': e.event_type,
    'event_category': e.event_category,
    'event_action': e.event_action,
    'event_outcome': e.event_outcome,
    'correlation_id': e.correlation_id,
    'parent_event_id': e.parent_event_id,
    'parent_event_date': e.parent_event_date,
    'actor_type': e.actor_type,
    'actor_id': e.actor_id,
    'actor_ip': e.actor_ip,
    'resource_type': e.resource_type,
    'resource_id': e.resource_id,
    'namespace': e.namespace,
    'cluster_id': e.cluster_id,
    'severity': e.severity,
    'duration_ms': e.duration_ms,
    'error_code': e.error_code,
    'error_message': e.error_message,
    'retention_days': e.retention_days,
    'is_sensitive': e.is_sensitive,
    'readable': e.readable,
    'clock_skew': nullif(e.clock_skew, false),
    'hash_algorithm': e.hash_algorithm,
    'chain_key_id': e.chain_key_id,
    'canonical_form': 'RFC8785',
    'previous_event_hash': encode(e.previous_event_hash, 'hex'),
    'event_hash': encode(e.event_hash, 'hex'),
    'extra': e.extra,
    'event_data': e.event_data
    ABSENT ON NULL RETURNING json
);

-- The same in a list: with the hold of its correlation (null: none), and null for a parent that it has not. As a text, because each
-- conversion would copy it.
CREATE OR REPLACE FUNCTION audit_event_shown(e audit_event, h audit_legal_hold) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN concat(
    '{"legal_hold":', CASE WHEN h.correlation_id IS NULL THEN 'false' ELSE 'true' END,
    ',"legal_hold_reason":', to_json(coalesce(h.reason, '')),
    ',"legal_hold_placed_by":', to_json(coalesce(h.placed_by, '')),
    ',"legal_hold_placed_at":', coalesce('"' || audit_rfc3339(h.placed_at) || '"', 'null'),
    CASE WHEN e.parent_event_id IS NULL THEN ',"parent_event_id":null' END,
    CASE WHEN e.parent_event_date IS NULL THEN ',"parent_event_date":null' END,
    ',', substr(audit_event_json(e)::text, 2)
);

-- The same in an export.
CREATE OR REPLACE FUNCTION audit_event_exported(e audit_event, h audit_legal_hold) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN concat(
    '{"legal_hold":', CASE WHEN h.correlation_id IS NULL THEN 'false' ELSE 'true' END,
    ',', substr(audit_event_json(e)::text, 2)
);
