-- The vector database: the vectors of all records a second time, in a PostgreSQL of its own. The tables as of commit
-- 3757e32; a database of that commit is taken for one to which this file was applied.

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

-- In strict mode, vectors whose records are about to be written: write intents. No search sees them; the delivery of
-- the record turns one into a row of `audit_embeddings`.
CREATE TABLE audit_embedding_intent (
    audit_id    bigint      NOT NULL PRIMARY KEY,
    embedding   vector({{embedding_dimensions}}),
    kind        text        NOT NULL,
    model       text,
    intended_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
