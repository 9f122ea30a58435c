-- Whether the vector database has every record, and searches with what it found.

-- Begins to make up for records that were written without the vector database.
CREATE OR REPLACE FUNCTION audit_vector_db_begin() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    UPDATE audit_vector_db SET complete = NULL WHERE complete IS NOT TRUE;
END;

-- Announces at most `step` records of a kind, those after `after`. Returns the last one; null if there is none.
CREATE OR REPLACE FUNCTION audit_vector_db_fill(record_kind text, after bigint, step integer) RETURNS bigint
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

-- Ends what `audit_vector_db_begin` began, once every record is announced. False if one was written without the
-- vector database meanwhile.
CREATE OR REPLACE FUNCTION audit_vector_db_end() RETURNS boolean
LANGUAGE sql
BEGIN ATOMIC
    UPDATE audit_vector_db SET complete = true WHERE complete IS NULL;
    SELECT complete IS TRUE FROM audit_vector_db;
END;

-- The records whose state the vector database has yet to be told, as an array of {kind, id}. Null if there are many, or
-- if it was never told everything: then the primary is searched.
CREATE OR REPLACE FUNCTION audit_undelivered() RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    much CONSTANT integer := 1000; -- a few milliseconds' worth of looking
BEGIN
    IF (SELECT complete FROM audit_vector_db) IS NOT TRUE
        OR (SELECT count(*) > much FROM (SELECT FROM audit_outbox LIMIT much + 1) AS o)
    THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT coalesce(json_agg(json_build_object('kind', kind, 'id', id)), '[]') FROM audit_outbox);
END
$$;

-- The answer to a search from what the vector database found: `candidates` are {id, kind, distance}. What it
-- has yet to be told is compared here, and what it had yet to be told before it was asked (`undelivered`), because it
-- may have been told in between. Null if that does not make `wanted` results, or as `audit_undelivered`.
CREATE OR REPLACE FUNCTION audit_search_among(
    candidates jsonb,
    probe text,
    probe_model text,
    kinds jsonb,
    wanted integer,
    min_similarity double precision,
    undelivered jsonb
) RETURNS text
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    since CONSTANT jsonb := audit_undelivered();
    hits  audit_hit[];
BEGIN
    IF since IS NULL THEN
        RETURN NULL;
    END IF;
    hits := ARRAY(
        WITH here AS (
            SELECT kind, id FROM jsonb_to_recordset(undelivered) AS u (kind text, id bigint)
            UNION
            SELECT kind, id FROM jsonb_to_recordset(since) AS s (kind text, id bigint)
        )
        SELECT (c.kind, c.id, c.distance)::audit_hit
        FROM (
            SELECT n.kind, n.id, n.distance
            FROM jsonb_to_recordset(candidates) AS n (kind text, id bigint, distance double precision)
            WHERE NOT EXISTS (SELECT FROM here AS h WHERE h.kind = n.kind AND h.id = n.id)
            UNION ALL
            SELECT h.kind, h.id, v.embedding <=> probe::vector
            FROM here AS h
            CROSS JOIN LATERAL (
                SELECT model, embedding FROM audit_searchable WHERE kind = h.kind AND id = h.id
            ) AS v
            WHERE v.model = probe_model AND (kinds IS NULL OR kinds ? h.kind)
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
