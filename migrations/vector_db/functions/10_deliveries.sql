-- Deliveries of the primary's outbox.

-- Takes what `audit_outbox_claim` of the primary gave: {id, kind, revision, created_at, model, embedding}, and {gone} for what is
-- to be forgotten. A state that is older than the one here changes nothing, so deliveries may overtake each other and repeat.
CREATE OR REPLACE FUNCTION audit_embeddings_apply(entries jsonb) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO audit_embeddings AS a (audit_id, embedding, created_at, kind, model, revision)
    SELECT id, embedding::vector, created_at, kind, model, revision
    FROM jsonb_to_recordset(entries) AS e (
        id bigint, embedding text, created_at timestamptz, kind text, model text, revision bigint, gone boolean
    )
    WHERE gone IS NOT TRUE
    ORDER BY id -- so that two deliveries never wait for each other in a circle
    ON CONFLICT (audit_id) DO UPDATE
    SET embedding = excluded.embedding,
        model = excluded.model,
        revision = excluded.revision
    WHERE a.revision < excluded.revision;

    DELETE FROM audit_embeddings AS a
    USING jsonb_to_recordset(entries) AS e (id bigint, kind text, revision bigint, gone boolean)
    WHERE e.gone AND a.audit_id = e.id AND a.kind = e.kind AND a.revision < e.revision;

    DELETE FROM audit_embedding_intent AS i
    USING jsonb_to_recordset(entries) AS e (id bigint)
    WHERE i.audit_id = e.id;
END
$$;
