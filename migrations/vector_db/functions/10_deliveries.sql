-- Deliveries of the primary's outbox.

-- Takes what `audit_outbox_claim` of the primary gave: {id, kind, revision, created_at, model, embedding}, and {gone} for what is
-- to be forgotten. A state that is older than the one here changes nothing, so deliveries may overtake each other and repeat. For
-- that reason a row without a vector stays of what is gone, which no search finds.
CREATE OR REPLACE FUNCTION audit_embeddings_apply(entries jsonb) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO audit_embeddings AS a (audit_id, embedding, created_at, kind, model, revision)
    SELECT
        id,
        CASE WHEN gone IS NOT TRUE THEN embedding::vector END,
        created_at,
        kind,
        CASE WHEN gone IS NOT TRUE THEN model END,
        revision
    FROM jsonb_to_recordset(entries) AS e (
        id bigint, embedding text, created_at timestamptz, kind text, model text, revision bigint, gone boolean
    )
    ORDER BY id -- so that two deliveries never wait for each other in a circle
    ON CONFLICT (audit_id) DO UPDATE
    SET embedding = excluded.embedding,
        model = excluded.model,
        revision = excluded.revision
    -- What is forgotten may have the id of another kind's record.
    WHERE a.revision < excluded.revision AND (a.kind = excluded.kind OR excluded.embedding IS NOT NULL);

    DELETE FROM audit_embedding_intent AS i
    USING jsonb_to_recordset(entries) AS e (id bigint)
    WHERE i.audit_id = e.id;
END
$$;
