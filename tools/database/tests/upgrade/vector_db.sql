-- The vector database as the migrations of commit 3757e32 left it, in one file: their texts, in order, and what the runner of
-- that commit recorded. The test fills in the placeholders as that runner did.

SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vector;

CREATE TABLE schema_migration (
    version    int PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE audit_setting (
    name  text PRIMARY KEY,
    value text NOT NULL
);
INSERT INTO audit_setting VALUES ('embedding_dimensions', '{{embedding_dimensions}}');

-- migrations/vector_db/0001_embeddings.sql
BEGIN;
-- The vector database: the vectors of all records a second time, in a PostgreSQL of its own.

CREATE TABLE audit_embeddings (
    audit_id   bigint      NOT NULL PRIMARY KEY,
    embedding  vector({{embedding_dimensions}}), -- null: the record is not embedded, or hidden
    created_at timestamptz NOT NULL,             -- when the record was stored
    kind       text        NOT NULL,
    model      text,                             -- what made `embedding`
    revision   bigint      NOT NULL              -- of the outbox: a higher one is a later state
);

CREATE INDEX audit_embeddings_embedding ON audit_embeddings
    USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64);

-- In strict mode, vectors whose records are about to be written: the promise to have them. No search sees
-- them; the delivery of the record turns one into a row of `audit_embeddings`.
CREATE TABLE audit_embedding_intent (
    audit_id    bigint      NOT NULL PRIMARY KEY,
    embedding   vector({{embedding_dimensions}}),
    kind        text        NOT NULL,
    model       text,
    intended_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Takes what `audit_outbox_claim` of the primary gave: {id, kind, revision, created_at, model, embedding}. A
-- state that is older than the one here changes nothing, so deliveries may overtake each other and repeat.
CREATE FUNCTION audit_embeddings_apply(entries jsonb) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO audit_embeddings AS a (audit_id, embedding, created_at, kind, model, revision)
    SELECT id, embedding::vector, created_at, kind, model, revision
    FROM jsonb_to_recordset(entries) AS e (
        id bigint, embedding text, created_at timestamptz, kind text, model text, revision bigint
    )
    ORDER BY id -- so that two deliveries never wait for each other in a circle
    ON CONFLICT (audit_id) DO UPDATE
    SET embedding = excluded.embedding,
        model = excluded.model,
        revision = excluded.revision
    WHERE a.revision < excluded.revision;

    DELETE FROM audit_embedding_intent AS i
    USING jsonb_to_recordset(entries) AS e (id bigint)
    WHERE i.audit_id = e.id;
END
$$;

-- Promises to have these vectors: {id, kind, model, embedding}.
CREATE FUNCTION audit_embeddings_intend(entries jsonb) RETURNS void
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
CREATE FUNCTION audit_intents_older(age interval) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT jsonb_agg(audit_id)::text
    FROM (
        SELECT audit_id FROM audit_embedding_intent WHERE intended_at < clock_timestamp() - age LIMIT 1000
    ) AS i;
END;

-- Takes promises back.
CREATE FUNCTION audit_intents_drop(ids jsonb) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM audit_embedding_intent AS i
    USING jsonb_array_elements(ids) AS e
    WHERE i.audit_id = e.value::bigint;
END;

-- The nearest vectors of a model, and of these kinds unless `kinds` is null: an array of {id, kind, distance}.
-- `ef` is how many candidates HNSW keeps.
CREATE FUNCTION audit_embeddings_nearest(probe text, model text, kinds jsonb, wanted integer, ef integer)
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

INSERT INTO schema_migration (version, name, sha256) VALUES
    (1, '0001_embeddings', '7a28b1ccf2384bd2cf7e594eb29da7c7a9478de757d94c53066b1b475ded4564');
COMMIT;
