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

-- The answer to a search from what the vector database found: `candidates` are {id, kind, distance}. What it
-- has yet to be told is compared here. Null if that does not make `wanted` results, if there is much to be
-- told, or if the vector database was never told everything: then the primary is searched.
CREATE OR REPLACE FUNCTION audit_search_among(
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
    IF (SELECT complete FROM audit_vector_db) IS NOT TRUE
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
