-- Finding the nearest vectors.

-- The nearest vectors of a model, and of these kinds unless `kinds` is null: an array of {id, kind, distance}.
-- `ef` is how many candidates HNSW keeps.
CREATE OR REPLACE FUNCTION audit_embeddings_nearest(probe text, model text, kinds jsonb, wanted integer, ef integer)
RETURNS text
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    PERFORM set_config('hnsw.ef_search', greatest(ef, wanted)::text, true);
    RETURN (
        SELECT coalesce(json_agg(n), '[]')::text
        FROM (
            SELECT a.audit_id AS id, a.kind, a.embedding <=> probe::vector AS distance
            FROM audit_embeddings AS a
            WHERE a.model = audit_embeddings_nearest.model
                AND (kinds IS NULL OR kinds ? a.kind)
            ORDER BY a.embedding <=> probe::vector
            LIMIT wanted
        ) AS n
    );
END
$$;
