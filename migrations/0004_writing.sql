-- Writing: the natural key decides whether a post is a new record, a replay or the next state of a
-- record (the table under "Life cycle" in docs/architecture.md).
--
-- A function rather than one statement of data-modifying CTEs: each statement in it sees what
-- committed while the one before it waited for a concurrent holder of the same key.

-- Milliseconds between two times; null if one is missing or they are the wrong way round, as when
-- a step that is told about later started before the record's stand-in for a start.
CREATE FUNCTION audit_elapsed_ms(start_time timestamptz, end_time timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN start_time <= end_time THEN round(extract(epoch FROM end_time - start_time) * 1000)::bigint
END;

-- The ids under which the timeline finds a record. A full remediation without a request id is
-- itself the request, and the others refer to it by its name.
CREATE FUNCTION audit_correlation_keys(a audit) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY[
    a.correlation_id,
    a.remediation_request_id,
    CASE WHEN a.kind = 'remediation' AND a.remediation_request_id IS NULL THEN a.name END
];

-- A text within a document; null for any other value.
CREATE FUNCTION audit_text(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) = 'string' THEN value #>> '{}' END;

-- What the embedding of a record depends on: the parts of its text. Same as `Parts::of` in
-- crates/audit/src/embedding.rs, which makes the text of a record that is just being written.
CREATE FUNCTION audit_embedding_parts(a audit) RETURNS jsonb
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

-- Lets searches find a record by `embedding`, in place of the vector it had. The tail comes first: a
-- concurrent move has the record in one of the two, and this waits for it before looking into the other.
CREATE FUNCTION audit_place_vector(record_kind text, record_id bigint, model text, embedding vector) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO audit_vector_tail AS t (kind, id, model, embedding)
    VALUES (record_kind, record_id, model, embedding)
    ON CONFLICT (kind, id) DO UPDATE SET model = excluded.model, embedding = excluded.embedding;
    DELETE FROM audit_vector AS v WHERE v.kind = record_kind AND v.id = record_id;
END
$$;

-- Lets searches find a record no more. In the same order, for the same reason.
CREATE FUNCTION audit_remove_vector(record_kind text, record_id bigint) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM audit_vector_tail AS t WHERE t.kind = record_kind AND t.id = record_id;
    DELETE FROM audit_vector AS v WHERE v.kind = record_kind AND v.id = record_id;
END
$$;

-- Has the vector database told about a record, if `mirror` says that there is one.
CREATE FUNCTION audit_announce(record_kind text, record_id bigint, mirror boolean) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF mirror THEN
        INSERT INTO audit_outbox AS o (kind, id)
        VALUES (record_kind, record_id)
        ON CONFLICT (kind, id) DO UPDATE SET revision = DEFAULT, claimed_until = DEFAULT;
    ELSE
        UPDATE audit_mirror SET complete = false WHERE complete IS DISTINCT FROM false;
    END IF;
END
$$;

-- Keeps the state that a record is about to leave.
CREATE FUNCTION audit_keep_version(old audit) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    INSERT INTO audit_version (kind, id, version, content_hash, state)
    VALUES (old.kind, old.id, old.version, old.content_hash, audit_state_json(old));
END;

-- Replaces a record, already locked, by its next state. A vector that no longer fits the text stays, to
-- be found by, until there is another one.
CREATE FUNCTION audit_replace(old audit, new audit, mirror boolean) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    parts jsonb := audit_embedding_parts(new);
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
        changed_by = new.changed_by
    WHERE kind = old.kind AND id = old.id;

    IF audit_correlation_keys(old) IS DISTINCT FROM audit_correlation_keys(new) THEN
        DELETE FROM audit_correlation
        WHERE kind = old.kind AND id = old.id AND key = ANY (audit_correlation_keys(old));
        INSERT INTO audit_correlation (key, kind, id)
        SELECT DISTINCT key, new.kind, new.id
        FROM unnest(audit_correlation_keys(new)) AS key
        WHERE key IS NOT NULL;
    END IF;

    IF new.embedding IS DISTINCT FROM old.embedding OR new.deleted_at IS DISTINCT FROM old.deleted_at THEN
        IF new.embedding IS NULL OR new.deleted_at IS NOT NULL THEN
            PERFORM audit_remove_vector(new.kind, new.id);
        ELSE
            PERFORM audit_place_vector(new.kind, new.id, new.embedding_model, new.embedding);
        END IF;
        PERFORM audit_announce(new.kind, new.id, mirror);
    END IF;
END
$$;

-- Whether what a record gathered by merging is more than one record may hold: twice the body of a
-- single post (1 MiB).
CREATE FUNCTION audit_too_large(a audit) RETURNS boolean
LANGUAGE sql STABLE
RETURN coalesce(octet_length(a.metadata::text), 0)
    + coalesce(octet_length(a.findings::text), 0)
    + octet_length(a.document::text) > 2 * 1024 * 1024;

-- Applies a post to the record that holds its key, and says what became of it: `duplicate`,
-- `stale`, `updated`, `conflict` (with the `field` that differs) or `too_large`.
CREATE FUNCTION audit_apply(post jsonb, mirror boolean) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    post_kind CONSTANT text := post ->> 'kind';
    record_id bigint;
    old       audit;
    new       audit;
    alone     audit; -- what the post says without what was there
    columns   jsonb := post -> 'columns';
    outcome   text;
    differing text;
BEGIN
    SELECT k.id INTO record_id
    FROM audit_key AS k
    WHERE k.kind = post_kind AND k.key = decode(post ->> 'key', 'hex');

    SELECT * INTO old FROM audit AS a WHERE a.kind = post_kind AND a.id = record_id FOR UPDATE;

    -- A stand-in gives way to a real name, and a real name ignores stand-ins.
    differing := CASE
        WHEN columns ->> 'name' <> old.name AND old.name_is_stand_in = (post ->> 'stand_in')::boolean THEN 'name'
        WHEN columns ->> 'namespace' <> old.namespace THEN 'namespace'
    END;

    IF old.id IS NULL THEN
        outcome := 'stale'; -- retention has dropped it; the key remains
    ELSIF old.content_hash = decode(post ->> 'hash', 'hex') THEN
        outcome := 'duplicate';
    ELSIF EXISTS (
        SELECT FROM audit_version AS v
        WHERE v.kind = post_kind AND v.id = record_id AND v.content_hash = decode(post ->> 'hash', 'hex')
    ) THEN
        outcome := 'stale';
    ELSIF differing IS NOT NULL THEN
        outcome := 'conflict';
    ELSIF (post ->> 'rank')::smallint < old.state_rank THEN
        outcome := 'stale';
    ELSE
        IF (post ->> 'stand_in')::boolean THEN
            columns := columns - 'name';
        END IF;
        -- A state is replaced, never cleared: a finished record stays finished.
        new := jsonb_populate_record(old, columns - ARRAY(
            SELECT key FROM jsonb_each(columns)
            WHERE key IN ('phase', 'status', 'name', 'namespace') AND value = 'null'
        ));
        new.document := old.document || (post -> 'document');
        new.state_rank := coalesce((post ->> 'rank')::smallint, old.state_rank);
        new.name_is_stand_in := old.name_is_stand_in AND (post ->> 'stand_in')::boolean;
        new.content_hash := decode(post ->> 'hash', 'hex');
        new.changed_by := post ->> 'caller';
        -- The post's vector is one of the post's own text.
        alone := jsonb_populate_record(NULL::audit, columns || jsonb_build_object('document', post -> 'document'));
        IF audit_embedding_parts(new) = audit_embedding_parts(alone)
            AND (post #>> '{embedding,vector}') IS NOT NULL
        THEN
            new.embedding := (post #>> '{embedding,vector}')::vector;
            new.embedding_model := post #>> '{embedding,model}';
        END IF;
        IF audit_too_large(new) THEN
            outcome := 'too_large';
        ELSE
            PERFORM audit_replace(old, new, mirror);
            outcome := 'updated';
        END IF;
    END IF;

    RETURN jsonb_build_object(
        'id', record_id,
        'status', outcome,
        'field', differing,
        'created_at', audit_rfc3339(audit_id_time(record_id)),
        'embedded', (SELECT a.embedding_model <> '' FROM audit AS a WHERE a.kind = post_kind AND a.id = record_id)
    );
END
$$;

-- Stores posts: an array of {kind, key, hash, rank, stand_in, columns, document, embedding, id, caller}, where
-- `embedding` is {model, vector}, {"model": ""} if there is nothing to embed, or missing; `id` is there if one
-- was reserved, `caller` if somebody is identified. Returns an array in the same order of {id, status, created_at,
-- embedded}. New keys go in as one statement. `all_or_none` is for posts of one batch: one among them that
-- cannot be accepted raises AU001 with the results as its detail; posts of several callers are each for
-- themselves. `mirror` says whether there is a vector database to be told.
CREATE FUNCTION audit_write(posts jsonb, all_or_none boolean, mirror boolean) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    results jsonb[] := array_fill(NULL::jsonb, ARRAY[jsonb_array_length(posts)]);
    entry   record;
BEGIN
    FOR entry IN
        WITH post AS MATERIALIZED (
            SELECT
                position::integer,
                value,
                value ->> 'kind' AS kind,
                decode(value ->> 'key', 'hex') AS key,
                coalesce((value ->> 'id')::bigint, audit_next_id()) AS id
            FROM jsonb_array_elements(posts) WITH ORDINALITY AS p (value, position)
        ), claimed AS (
            -- In key order, so that two writers with the same keys never wait for each other in a
            -- circle.
            INSERT INTO audit_key (kind, key, id)
            SELECT DISTINCT ON (kind, key) kind, key, id FROM post ORDER BY kind, key, position
            ON CONFLICT DO NOTHING
            RETURNING audit_key.id
        ), stored AS (
            INSERT INTO audit (
                kind, id, name, namespace, phase, status, action_type, alert_name,
                alert_fingerprint, severity, environment, cluster_name, target_resource,
                remediation_request_id, correlation_id, start_time, end_time, duration,
                error_message, analysis_type, confidence_score, findings, workflow_type,
                steps_completed, steps_total, action, resource, metadata, document, embedding,
                embedding_model, created_at, updated_at, version, state_rank, name_is_stand_in, content_hash, changed_by
            )
            SELECT
                p.kind, p.id, c.name, c.namespace, c.phase, c.status, c.action_type, c.alert_name,
                c.alert_fingerprint, c.severity, c.environment, c.cluster_name, c.target_resource,
                c.remediation_request_id, c.correlation_id, c.start_time, c.end_time,
                coalesce(c.duration, audit_elapsed_ms(c.start_time, c.end_time)),
                c.error_message, c.analysis_type, c.confidence_score, c.findings, c.workflow_type,
                c.steps_completed, c.steps_total, c.action, c.resource, c.metadata,
                p.value -> 'document', (p.value #>> '{embedding,vector}')::vector,
                p.value #>> '{embedding,model}', audit_id_time(p.id), audit_id_time(p.id), 1,
                (p.value ->> 'rank')::smallint, (p.value ->> 'stand_in')::boolean,
                decode(p.value ->> 'hash', 'hex'), p.value ->> 'caller'
            FROM claimed
            JOIN post AS p USING (id)
            CROSS JOIN LATERAL jsonb_populate_record(NULL::audit, p.value -> 'columns') AS c
            RETURNING audit AS row
        ), correlated AS (
            INSERT INTO audit_correlation (key, kind, id)
            SELECT DISTINCT key, (row).kind, (row).id
            FROM stored
            CROSS JOIN unnest(audit_correlation_keys(row)) AS key
            WHERE key IS NOT NULL
        ), findable AS (
            INSERT INTO audit_vector_tail (kind, id, model, embedding)
            SELECT (row).kind, (row).id, (row).embedding_model, (row).embedding
            FROM stored
            WHERE (row).embedding IS NOT NULL
        ), announced AS (
            INSERT INTO audit_outbox (kind, id)
            SELECT (row).kind, (row).id
            FROM stored
            WHERE mirror
        )
        SELECT p.position, p.id, coalesce(p.value #>> '{embedding,model}', '') <> '' AS embedded
        FROM claimed
        JOIN post AS p USING (id)
    LOOP
        results[entry.position] := jsonb_build_object(
            'id', entry.id,
            'status', 'persisted',
            'created_at', audit_rfc3339(audit_id_time(entry.id)),
            'embedded', entry.embedded
        );
    END LOOP;
    IF NOT mirror THEN
        UPDATE audit_mirror SET complete = false WHERE complete IS DISTINCT FROM false;
    END IF;

    FOR entry IN
        SELECT position::integer, value
        FROM jsonb_array_elements(posts) WITH ORDINALITY AS p (value, position)
        WHERE results[position] IS NULL
        ORDER BY value ->> 'kind', value ->> 'key', position -- locks in key order, see above
    LOOP
        results[entry.position] := audit_apply(entry.value, mirror);
    END LOOP;

    IF all_or_none
        AND EXISTS (SELECT FROM unnest(results) AS r WHERE r ->> 'status' IN ('conflict', 'too_large'))
    THEN
        RAISE EXCEPTION 'a post of the batch cannot be accepted'
            USING ERRCODE = 'AU001', DETAIL = to_jsonb(results)::text;
    END IF;
    RETURN to_jsonb(results)::text;
END
$$;
