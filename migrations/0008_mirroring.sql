-- The vector database has what `audit_outbox` does not name. A delivery reads the present state of a
-- record and its revision, so it may be repeated, and a late one never undoes a later one.

-- What the vector database is told about records: an array of {id, kind, revision, created_at, model,
-- embedding}, the last two null for one that has no vector or is hidden. `entries` are {kind, id, revision};
-- null if there are none.
CREATE FUNCTION audit_mirrored(entries jsonb) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT jsonb_agg(jsonb_build_object(
        'id', e.id,
        'kind', e.kind,
        'revision', e.revision,
        'created_at', audit_rfc3339(audit_id_time(e.id)),
        'model', v.model,
        'embedding', v.embedding::text
    ))
    FROM jsonb_to_recordset(entries) AS e (kind text, id bigint, revision bigint)
    LEFT JOIN LATERAL (
        SELECT model, embedding FROM audit_searchable WHERE kind = e.kind AND id = e.id
    ) AS v ON true;
END;

-- Claims at most `wanted` entries of the outbox, the oldest first, for the time of `lease`, and returns what
-- to tell, or null if there is nothing. The state is read by a statement of its own, which sees at least what
-- the claimed revision stands for.
CREATE FUNCTION audit_outbox_claim(wanted integer, lease interval) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    claimed jsonb;
BEGIN
    WITH due AS (
        SELECT kind, id
        FROM audit_outbox
        WHERE claimed_until < clock_timestamp()
        ORDER BY revision
        LIMIT wanted
        FOR UPDATE SKIP LOCKED
    ), updated AS (
        UPDATE audit_outbox AS o
        SET claimed_until = clock_timestamp() + lease
        FROM due
        WHERE o.kind = due.kind AND o.id = due.id
        RETURNING o.kind, o.id, o.revision
    )
    SELECT jsonb_agg(to_jsonb(updated)) INTO claimed FROM updated;
    RETURN audit_mirrored(claimed)::text;
END
$$;

-- What to tell about these records of one kind right after they were written, as `audit_outbox_claim`.
CREATE FUNCTION audit_outbox_of(record_kind text, ids jsonb) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT audit_mirrored(jsonb_agg(to_jsonb(o)))::text
    FROM audit_outbox AS o
    WHERE o.kind = record_kind
        AND o.id IN (SELECT value::bigint FROM jsonb_array_elements_text(ids));
END;

-- Strikes out what the vector database has confirmed, unless the record has changed since.
CREATE FUNCTION audit_outbox_done(entries jsonb) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM audit_outbox AS o
    USING jsonb_to_recordset(entries) AS e (kind text, id bigint, revision bigint)
    WHERE o.kind = e.kind AND o.id = e.id AND o.revision = e.revision;
END;

-- Gives entries back that could not be delivered, so that the next one need not wait for the lease.
CREATE FUNCTION audit_outbox_return(entries jsonb, pause interval) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    UPDATE audit_outbox AS o
    SET claimed_until = clock_timestamp() + pause
    FROM jsonb_to_recordset(entries) AS e (kind text, id bigint, revision bigint)
    WHERE o.kind = e.kind AND o.id = e.id AND o.revision = e.revision;
END;

-- Those of `ids` that no delivery is going to name.
CREATE FUNCTION audit_outbox_lacks(ids jsonb) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(jsonb_agg(i.value), '[]')::text
    FROM jsonb_array_elements(ids) AS i
    WHERE NOT EXISTS (SELECT FROM audit_outbox AS o WHERE o.id = i.value::bigint);
END;

-- Ids for records that are about to be written.
CREATE FUNCTION audit_reserve_ids(count integer) RETURNS text
LANGUAGE sql VOLATILE
BEGIN ATOMIC
    SELECT json_agg(audit_next_id())::text FROM generate_series(1, count);
END;

-- Begins to make up for records that were written without the vector database.
CREATE FUNCTION audit_mirror_begin() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    UPDATE audit_mirror SET complete = NULL WHERE complete IS NOT TRUE;
END;

-- Announces at most `step` records of a kind, those after `after`. Returns the last one; null if there is none.
CREATE FUNCTION audit_mirror_fill(record_kind text, after bigint, step integer) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
    WITH page AS (
        SELECT a.kind, a.id
        FROM audit AS a
        WHERE a.kind = record_kind AND a.id > after
        ORDER BY a.id
        LIMIT step
    ), announced AS (
        INSERT INTO audit_outbox (kind, id)
        SELECT kind, id FROM page
        ON CONFLICT (kind, id) DO NOTHING
    )
    SELECT max(id) FROM page;
END;

-- Ends what `audit_mirror_begin` began, once every record is announced. False if one was written without the
-- vector database meanwhile.
CREATE FUNCTION audit_mirror_end() RETURNS boolean
LANGUAGE sql
BEGIN ATOMIC
    UPDATE audit_mirror SET complete = true WHERE complete IS NULL;
    SELECT complete IS TRUE FROM audit_mirror;
END;

-- The answer to a search from what the vector database found: `candidates` are {id, kind, distance}. What it
-- has yet to be told is compared here. Null if that does not make `wanted` results, if there is much to be
-- told, or if the vector database was never told everything: then the primary is searched.
CREATE FUNCTION audit_search_among(
    candidates jsonb,
    probe text,
    probe_model text,
    kinds jsonb,
    wanted integer,
    min_similarity double precision
) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    much CONSTANT integer := 1000; -- a few milliseconds' worth of looking
    hits audit_hit[];
BEGIN
    IF (SELECT complete FROM audit_mirror) IS NOT TRUE
        OR (SELECT count(*) > much FROM (SELECT FROM audit_outbox LIMIT much + 1) AS o)
    THEN
        RETURN NULL;
    END IF;
    hits := ARRAY(
        SELECT (c.kind, c.id, c.distance)::audit_hit
        FROM (
            SELECT n.kind, n.id, n.distance
            FROM jsonb_to_recordset(candidates) AS n (kind text, id bigint, distance double precision)
            WHERE NOT EXISTS (SELECT FROM audit_outbox AS o WHERE o.kind = n.kind AND o.id = n.id)
            UNION ALL
            SELECT o.kind, o.id, v.embedding <=> probe::vector
            FROM audit_outbox AS o
            CROSS JOIN LATERAL (
                SELECT model, embedding FROM audit_searchable WHERE kind = o.kind AND id = o.id
            ) AS v
            WHERE v.model = probe_model AND (kinds IS NULL OR kinds ? o.kind)
        ) AS c
        JOIN audit AS a ON a.kind = c.kind AND a.id = c.id
        WHERE a.deleted_at IS NULL
        ORDER BY c.distance, c.id DESC
        LIMIT wanted
    );
    IF cardinality(hits) < wanted THEN
        RETURN NULL;
    END IF;
    RETURN '{"results":' || audit_results(hits, min_similarity) || '}';
END
$$;
