-- Write intents of strict mode: announced before the record is written, confirmed by the delivery of the record,
-- withdrawn if it was not written.

-- Announces the intent to write these vectors: {id, kind, model, embedding}.
CREATE OR REPLACE FUNCTION audit_embeddings_intend(entries jsonb) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO audit_embedding_intent AS i (audit_id, embedding, kind, model)
    SELECT id, embedding::vector, kind, model
    FROM jsonb_to_recordset(entries) AS e (id bigint, embedding text, kind text, model text)
    ORDER BY id
    ON CONFLICT (audit_id) DO UPDATE
    SET embedding = excluded.embedding, model = excluded.model, intended_at = excluded.intended_at;
END;

-- The intents older than `age`: their writes are over, one way or the other.
CREATE OR REPLACE FUNCTION audit_intents_older(age interval) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT jsonb_agg(audit_id)::text
    FROM (
        SELECT audit_id FROM audit_embedding_intent WHERE intended_at < clock_timestamp() - age LIMIT 1000
    ) AS i;
END;

-- Withdraws intents.
CREATE OR REPLACE FUNCTION audit_intents_drop(ids jsonb) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM audit_embedding_intent AS i
    USING jsonb_array_elements(ids) AS e
    WHERE i.audit_id = e.value::bigint;
END;
