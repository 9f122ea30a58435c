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

-- The ids under which the timeline finds a record, each once. A full remediation without a request id is
-- itself the request, and the others refer to it by its name.
CREATE FUNCTION audit_correlation_keys(
    kind text, name text, remediation_request_id text, correlation_id text
) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_remove(ARRAY[
    correlation_id,
    nullif(coalesce(remediation_request_id, CASE WHEN kind = 'remediation' THEN name END), correlation_id)
], NULL);

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
        changed_by = new.changed_by
    WHERE kind = old.kind AND id = old.id;

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

-- A post, as the JSON of one has it: the columns of a record, where `id` is there if one was reserved and
-- `embedding_model` is empty if there is nothing to embed; and SHA-256 of the natural key.
CREATE TYPE audit_post AS (
    key                    bytea,
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
    start_time             timestamptz,
    end_time               timestamptz,
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
    embedding              vector,
    embedding_model        text,
    state_rank             smallint,
    name_is_stand_in       boolean,
    content_hash           bytea,
    changed_by             text
);

-- Applies a post to the record that holds its key, and says what became of it: `duplicate`,
-- `stale`, `updated`, `conflict` (with the `field` that differs) or `too_large`.
CREATE FUNCTION audit_apply(post jsonb, mirror boolean) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    post_kind CONSTANT text := post ->> 'kind';
    post_hash CONSTANT bytea := (post ->> 'content_hash')::bytea;
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

    IF old.id IS NULL THEN
        outcome := 'stale'; -- retention has dropped it; the key remains
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
        'embedded', (SELECT a.embedding_model <> '' FROM audit AS a WHERE a.kind = post_kind AND a.id = record_id)
    );
END
$$;

-- Stores an array of posts (`audit_post`). Returns an array in the same order of {id}, for a new record, or {id,
-- status, field, embedded}. `all_or_none` is for posts of one batch: one among them that cannot be accepted
-- raises AU001 with the results as its detail; posts of several callers are each for themselves. `mirror` says
-- whether there is a vector database to be told.
CREATE FUNCTION audit_write(posts jsonb, all_or_none boolean, mirror boolean) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    rows    CONSTANT audit_post[] := ARRAY(SELECT p FROM jsonb_populate_recordset(NULL::audit_post, posts) AS p);
    -- Of new records, in the order of the posts; null where a record has the key already.
    ids     bigint[] := ARRAY(SELECT coalesce(p.id, audit_next_id()) FROM unnest(rows) AS p);
    claimed bigint;
    results jsonb[];
    entry   record;
BEGIN
    -- In key order, so that two writers with the same keys never wait for each other in a circle.
    INSERT INTO audit_key (kind, key, id)
    SELECT p.kind, p.key, p.new_id
    FROM unnest(ids, rows) WITH ORDINALITY AS p (new_id)
    ORDER BY p.kind, p.key, p.ordinality
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS claimed = ROW_COUNT;
    IF claimed < cardinality(rows) THEN
        ids := ARRAY(
            SELECT k.id
            FROM unnest(ids, rows) WITH ORDINALITY AS p (new_id)
            LEFT JOIN audit_key AS k ON k.kind = p.kind AND k.key = p.key AND k.id = p.new_id
            ORDER BY p.ordinality
        );
    END IF;

    INSERT INTO audit (
        kind, id, name, namespace, phase, status, action_type, alert_name, alert_fingerprint,
        severity, environment, cluster_name, target_resource, remediation_request_id, correlation_id,
        start_time, end_time, duration, error_message, analysis_type, confidence_score, findings,
        workflow_type, steps_completed, steps_total, action, resource, metadata, document, embedding,
        embedding_model, created_at, updated_at, version, state_rank, name_is_stand_in, content_hash, changed_by
    )
    SELECT
        p.kind, p.new_id, p.name, p.namespace, p.phase, p.status, p.action_type, p.alert_name, p.alert_fingerprint,
        p.severity, p.environment, p.cluster_name, p.target_resource, p.remediation_request_id, p.correlation_id,
        p.start_time, p.end_time, coalesce(p.duration, audit_elapsed_ms(p.start_time, p.end_time)),
        p.error_message, p.analysis_type, p.confidence_score, p.findings,
        p.workflow_type, p.steps_completed, p.steps_total, p.action, p.resource, p.metadata, p.document, p.embedding,
        p.embedding_model, audit_id_time(p.new_id), audit_id_time(p.new_id), 1, p.state_rank, p.name_is_stand_in,
        p.content_hash, p.changed_by
    FROM unnest(ids, rows) AS p (new_id)
    WHERE p.new_id IS NOT NULL;

    INSERT INTO audit_correlation (key, kind, id)
    SELECT c.key, p.kind, p.new_id
    FROM unnest(ids, rows) AS p (new_id)
    CROSS JOIN unnest(
        audit_correlation_keys(p.kind, p.name, p.remediation_request_id, p.correlation_id)
    ) AS c (key)
    WHERE p.new_id IS NOT NULL;

    IF jsonb_path_exists(posts, '$[*].embedding') THEN
        INSERT INTO audit_vector_tail (kind, id, model, embedding)
        SELECT p.kind, p.new_id, p.embedding_model, p.embedding
        FROM unnest(ids, rows) AS p (new_id)
        WHERE p.new_id IS NOT NULL AND p.embedding IS NOT NULL;
    END IF;
    IF mirror THEN
        INSERT INTO audit_outbox (kind, id)
        SELECT p.kind, p.new_id
        FROM unnest(ids, rows) AS p (new_id)
        WHERE p.new_id IS NOT NULL;
    ELSE
        UPDATE audit_mirror SET complete = false WHERE complete IS DISTINCT FROM false;
    END IF;
    IF claimed = cardinality(rows) THEN
        RETURN '[{"id":' || array_to_string(ids, '},{"id":') || '}]';
    END IF;

    results := ARRAY(SELECT jsonb_build_object('id', id) FROM unnest(ids) AS id);
    FOR entry IN
        SELECT position::integer, post
        FROM jsonb_array_elements(posts) WITH ORDINALITY AS p (post, position)
        WHERE ids[position] IS NULL
        ORDER BY post ->> 'kind', post ->> 'key', position -- locks in key order, see above
    LOOP
        results[entry.position] := audit_apply(entry.post, mirror);
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
