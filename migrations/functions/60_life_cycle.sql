-- The life cycle of a record: from one state to the next (the table under "Life cycle" in docs/architecture.md).

-- Milliseconds between two times; null if one is missing or they are the wrong way round, as when
-- a step that is told about later started before the record's stand-in for a start.
CREATE OR REPLACE FUNCTION audit_elapsed_ms(start_time timestamptz, end_time timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN start_time <= end_time THEN round(extract(epoch FROM end_time - start_time) * 1000)::bigint
END;

-- The ids under which the timeline finds a record, each once. A full remediation without a request id is
-- itself the request, and the others refer to it by its name.
CREATE OR REPLACE FUNCTION audit_correlation_keys(
    kind text, name text, remediation_request_id text, correlation_id text
) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_remove(ARRAY[
    correlation_id,
    nullif(coalesce(remediation_request_id, CASE WHEN kind = 'remediation' THEN name END), correlation_id)
], NULL);

-- A text within a document; null for any other value.
CREATE OR REPLACE FUNCTION audit_text(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) = 'string' THEN value #>> '{}' END;

-- What the embedding of a record depends on: the parts of its text. Same as `Parts::of` in
-- crates/audit/src/embedding.rs, which makes the text of a record that is just being written.
CREATE OR REPLACE FUNCTION audit_embedding_parts(a audit) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_strip_nulls(jsonb_build_object(
    'alert', nullif(coalesce(a.alert_name, audit_text(a.document #> '{signalContext,alertname}')), ''),
    'severity', a.severity,
    'target', nullif(coalesce(a.target_resource, a.resource), ''),
    'action', nullif(coalesce(
        a.action_type,
        a.action,
        audit_text(a.document -> 'recommendedAction'),
        audit_text(a.document -> 'recommended_action'),
        audit_text(a.document -> 'stepName'),
        audit_text(a.document -> 'workflowName'),
        a.workflow_type
    ), ''),
    'cause', nullif(coalesce(
        audit_text(a.document -> 'rootCause'),
        audit_text(a.document -> 'root_cause'),
        audit_text(a.findings -> 'rootCause'),
        audit_text(a.findings -> 'root_cause')
    ), ''),
    'reasoning', nullif(audit_text(a.document -> 'reasoning'), ''),
    'error', nullif(a.error_message, '')
));

-- Whether what a record gathered by merging is more than one record may hold: twice the body of a
-- single post (1 MiB).
CREATE OR REPLACE FUNCTION audit_too_large(a audit) RETURNS boolean
LANGUAGE sql STABLE
RETURN coalesce(octet_length(a.metadata::text), 0)
    + coalesce(octet_length(a.findings::text), 0)
    + octet_length(a.document::text) > 2 * 1024 * 1024;

-- Keeps the state that a record is about to leave.
CREATE OR REPLACE FUNCTION audit_keep_version(old audit) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    INSERT INTO audit_version (kind, id, version, content_hash, state, request)
    VALUES (old.kind, old.id, old.version, old.content_hash, audit_state_json(old), old.request);
END;

-- Replaces a record, already locked, by its next state. A vector that no longer fits the text stays, to
-- be found by, until there is another one.
CREATE OR REPLACE FUNCTION audit_replace(old audit, new audit, vector_db boolean) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    parts    CONSTANT jsonb := audit_embedding_parts(new);
    old_keys CONSTANT text[] := audit_correlation_keys(
        old.kind, old.name, old.remediation_request_id, old.correlation_id
    );
    new_keys CONSTANT text[] := audit_correlation_keys(
        new.kind, new.name, new.remediation_request_id, new.correlation_id
    );
BEGIN
    PERFORM audit_keep_version(old);

    IF parts = '{}' THEN
        new.embedding := NULL;
        new.embedding_model := '';
    ELSIF parts <> audit_embedding_parts(old) AND new.embedding IS NOT DISTINCT FROM old.embedding THEN
        new.embedding_model := NULL;
    END IF;
    IF new.deleted_at IS NOT NULL THEN
        new.embedding_model := coalesce(new.embedding_model, ''); -- nobody will look for it
    END IF;

    new.version := old.version + 1;
    new.updated_at := clock_timestamp();
    -- A duration that was computed follows the times, one that was sent stays.
    IF new.duration IS NOT DISTINCT FROM old.duration
        AND old.duration IS NOT DISTINCT FROM audit_elapsed_ms(old.start_time, old.end_time)
    THEN
        new.duration := audit_elapsed_ms(new.start_time, new.end_time);
    END IF;

    UPDATE audit
    SET name = new.name,
        namespace = new.namespace,
        phase = new.phase,
        status = new.status,
        action_type = new.action_type,
        alert_name = new.alert_name,
        alert_fingerprint = new.alert_fingerprint,
        severity = new.severity,
        environment = new.environment,
        cluster_name = new.cluster_name,
        target_resource = new.target_resource,
        remediation_request_id = new.remediation_request_id,
        correlation_id = new.correlation_id,
        start_time = new.start_time,
        end_time = new.end_time,
        duration = new.duration,
        error_message = new.error_message,
        analysis_type = new.analysis_type,
        confidence_score = new.confidence_score,
        findings = new.findings,
        workflow_type = new.workflow_type,
        steps_completed = new.steps_completed,
        steps_total = new.steps_total,
        action = new.action,
        resource = new.resource,
        metadata = new.metadata,
        document = new.document,
        embedding = new.embedding,
        embedding_model = new.embedding_model,
        updated_at = new.updated_at,
        deleted_at = new.deleted_at,
        version = new.version,
        state_rank = new.state_rank,
        name_is_stand_in = new.name_is_stand_in,
        content_hash = new.content_hash,
        changed_by = new.changed_by,
        request = new.request
    WHERE kind = old.kind AND id = old.id;

    -- Whoever archives the month meanwhile waits for this transaction, or is seen here.
    UPDATE audit_retention AS r
    SET changed = true
    WHERE r.kind = old.kind AND r.month = audit_month(old.id) AND NOT r.changed;

    IF new_keys <> old_keys THEN
        DELETE FROM audit_correlation WHERE kind = old.kind AND id = old.id AND key = ANY (old_keys);
        INSERT INTO audit_correlation (key, kind, id) SELECT key, new.kind, new.id FROM unnest(new_keys) AS key;
    END IF;

    IF new.embedding IS DISTINCT FROM old.embedding OR new.deleted_at IS DISTINCT FROM old.deleted_at THEN
        IF new.embedding IS NULL OR new.deleted_at IS NOT NULL THEN
            PERFORM audit_remove_vector(new.kind, new.id);
        ELSE
            PERFORM audit_place_vector(new.kind, new.id, new.embedding_model, new.embedding);
        END IF;
        PERFORM audit_announce(new.kind, new.id, vector_db);
    END IF;
END
$$;

-- Applies a post to the record that holds its key, and says what became of it: `duplicate`,
-- `stale`, `updated`, `conflict` (with the `field` that differs), `end_before_start`, `steps_exceed_total` or `too_large`;
-- or `persisted`, if the same request made the record in a statement that came before.
CREATE OR REPLACE FUNCTION audit_apply(post jsonb, vector_db boolean) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    post_kind CONSTANT text := post ->> 'kind';
    post_hash CONSTANT bytea := (post ->> 'content_hash')::bytea;
    asking    CONSTANT uuid := (post ->> 'request')::uuid;
    own       integer; -- the version that the same request made before
    stand_in  CONSTANT boolean := (post ->> 'name_is_stand_in')::boolean;
    record_id bigint;
    old       audit;
    new       audit;
    alone     audit; -- what the post says without what was there
    changes   jsonb := post - ARRAY['key', 'kind', 'id', 'embedding', 'embedding_model'];
    outcome   text;
    differing text;
BEGIN
    SELECT k.id INTO record_id
    FROM audit_key AS k
    WHERE k.kind = post_kind AND k.key = (post ->> 'key')::bytea;

    SELECT * INTO old FROM audit AS a WHERE a.kind = post_kind AND a.id = record_id FOR UPDATE;

    -- A stand-in gives way to a real name, and a real name ignores stand-ins.
    differing := CASE
        WHEN post ->> 'name' <> old.name AND old.name_is_stand_in = stand_in THEN 'name'
        WHEN post ->> 'namespace' <> old.namespace THEN 'namespace'
    END;

    own := CASE WHEN old.request = asking THEN old.version ELSE (
        SELECT v.version
        FROM audit_version AS v
        WHERE v.kind = post_kind AND v.id = record_id AND v.request = asking AND v.content_hash = post_hash
    ) END;

    IF old.id IS NULL THEN
        outcome := 'stale'; -- retention has dropped it; the key remains
    ELSIF own IS NOT NULL AND (own <> old.version OR old.content_hash = post_hash) THEN
        outcome := CASE own WHEN 1 THEN 'persisted' ELSE 'updated' END;
    ELSIF old.content_hash = post_hash THEN
        outcome := 'duplicate';
    ELSIF EXISTS (
        SELECT FROM audit_version AS v
        WHERE v.kind = post_kind AND v.id = record_id AND v.content_hash = post_hash
    ) THEN
        outcome := 'stale';
    ELSIF differing IS NOT NULL THEN
        outcome := 'conflict';
    ELSIF (post ->> 'state_rank')::smallint < old.state_rank THEN
        outcome := 'stale';
    ELSE
        IF stand_in THEN
            changes := changes - 'name';
        END IF;
        -- A state is replaced, never cleared: a finished record stays finished.
        new := jsonb_populate_record(old, changes - ARRAY(
            SELECT key FROM jsonb_each(changes)
            WHERE key IN ('phase', 'status', 'name', 'namespace', 'state_rank') AND value = 'null'
        ));
        new.document := old.document || (post -> 'document');
        new.name_is_stand_in := old.name_is_stand_in AND stand_in;
        new.changed_by := post ->> 'changed_by';
        -- The post's vector is one of the post's own text.
        alone := jsonb_populate_record(NULL::audit, changes);
        IF audit_embedding_parts(new) = audit_embedding_parts(alone) AND (post ->> 'embedding') IS NOT NULL THEN
            new.embedding := (post ->> 'embedding')::vector;
            new.embedding_model := post ->> 'embedding_model';
        END IF;
        new.request := asking;
        IF new.end_time < new.start_time AND (post ->> 'start_is_known')::boolean THEN
            outcome := 'end_before_start';
        ELSIF new.steps_completed > new.steps_total THEN
            outcome := 'steps_exceed_total';
        ELSIF audit_too_large(new) THEN
            outcome := 'too_large';
        ELSE
            PERFORM audit_replace(old, new, vector_db);
            outcome := 'updated';
        END IF;
    END IF;

    RETURN jsonb_build_object(
        'id', record_id,
        'status', outcome,
        'field', differing,
        'embedded', (SELECT a.embedding_model <> '' FROM audit AS a WHERE a.kind = post_kind AND a.id = record_id)
    );
END
$$;
