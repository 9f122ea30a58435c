-- Writing: the natural key decides whether a post is a new record, a replay or the next state of a record.
--
-- A function rather than one statement of data-modifying CTEs: each statement in it sees what
-- committed while the one before it waited for a concurrent holder of the same key.

-- Stores an array of posts (`audit_post`). Returns an array in the same order of {id}, for a new record, or {id,
-- status, field, embedded}. `all_or_none` is for posts of one batch: one among them that cannot be accepted
-- raises AU001 with the results as its detail; posts of several callers are each for themselves. `vector_db` says
-- whether there is a vector database to be told.
CREATE OR REPLACE FUNCTION audit_write(posts jsonb, all_or_none boolean, vector_db boolean) RETURNS text
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
        embedding_model, created_at, updated_at, version, state_rank, name_is_stand_in, content_hash, changed_by,
        request
    )
    SELECT
        p.kind, p.new_id, p.name, p.namespace, p.phase, p.status, p.action_type, p.alert_name, p.alert_fingerprint,
        p.severity, p.environment, p.cluster_name, p.target_resource, p.remediation_request_id, p.correlation_id,
        p.start_time, p.end_time, coalesce(p.duration, audit_elapsed_ms(p.start_time, p.end_time)),
        p.error_message, p.analysis_type, p.confidence_score, p.findings,
        p.workflow_type, p.steps_completed, p.steps_total, p.action, p.resource, p.metadata, p.document, p.embedding,
        p.embedding_model, audit_id_time(p.new_id), audit_id_time(p.new_id), 1, p.state_rank, p.name_is_stand_in,
        p.content_hash, p.changed_by, p.request
    FROM unnest(ids, rows) AS p (new_id)
    WHERE p.new_id IS NOT NULL;

    -- The month may be archived, or dropped. The present one is not, which is where nearly all records are.
    IF audit_id_at(date_trunc('month', clock_timestamp(), 'UTC')) > ANY (ids) THEN
        UPDATE audit_retention AS r
        SET changed = true
        FROM (
            SELECT DISTINCT p.kind, audit_month(p.new_id) AS month
            FROM unnest(ids, rows) AS p (new_id)
            WHERE p.new_id IS NOT NULL
        ) AS new
        WHERE r.kind = new.kind AND r.month = new.month AND NOT r.changed;
    END IF;

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
    IF vector_db THEN
        INSERT INTO audit_outbox (kind, id)
        SELECT p.kind, p.new_id
        FROM unnest(ids, rows) AS p (new_id)
        WHERE p.new_id IS NOT NULL;
    ELSE
        UPDATE audit_vector_db SET complete = false WHERE complete IS DISTINCT FROM false;
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
        results[entry.position] := audit_apply(entry.post, vector_db);
    END LOOP;

    IF all_or_none
        AND EXISTS (
            SELECT
            FROM unnest(results) AS r
            WHERE r ->> 'status' IN ('conflict', 'end_before_start', 'steps_exceed_total', 'too_large')
        )
    THEN
        RAISE EXCEPTION 'a post of the batch cannot be accepted'
            USING ERRCODE = 'AU001', DETAIL = to_jsonb(results)::text;
    END IF;
    RETURN to_jsonb(results)::text;
END
$$;

-- Ids for records that are about to be written.
CREATE OR REPLACE FUNCTION audit_reserve_ids(count integer) RETURNS text
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT json_agg(audit_next_id())::text FROM generate_series(1, count);
END;
