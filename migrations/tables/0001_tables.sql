-- The tables of the audit store as of commit 3757e32, and the types and the function that they and the functions are
-- made of. A database of that commit has all this already and is taken for one to which this file was applied.
--
-- A record belongs to a kind and carries its time in its id:
--   id = milliseconds since 2024-01-01 UTC << 12 | a sequence of 12 bits
-- so that newest-first is the key's own order, a time range is an id range, and a month is a
-- partition. Ids stay below 2^53 until 2093, so JavaScript reads them exactly.

CREATE SEQUENCE audit_id_sequence MINVALUE 0 MAXVALUE 4095 CYCLE;

CREATE TABLE audit (
    kind                   text        NOT NULL,
    id                     bigint      NOT NULL,
    name                   text        NOT NULL,
    namespace              text,
    phase                  text,
    status                 text,
    action_type            text,
    alert_name             text,
    alert_fingerprint      text,
    severity               text,
    environment            text,
    cluster_name           text,
    target_resource        text,
    remediation_request_id text,
    correlation_id         text,
    start_time             timestamptz,
    end_time               timestamptz,
    duration               bigint,     -- milliseconds
    error_message          text,
    analysis_type          text,
    confidence_score       double precision,
    findings               jsonb,
    workflow_type          text,
    steps_completed        bigint,
    steps_total            bigint,
    action                 text,
    resource               text,
    metadata               jsonb,
    document               jsonb       NOT NULL, -- members without a column, as they came
    embedding              vector({{embedding_dimensions}}), -- no index: searches read `audit_vector`
    embedding_model        text,       -- what made `embedding`; '' if there is nothing to embed; null: to be embedded
    created_at             timestamptz NOT NULL, -- the time in the id
    updated_at             timestamptz NOT NULL,
    deleted_at             timestamptz,          -- set: hidden from every read but `versions`
    version                integer     NOT NULL, -- 1 for a new record, one more with every change
    state_rank             smallint,   -- 0 pending, 1 under way, 2 finished; null: no state yet
    name_is_stand_in       boolean     NOT NULL, -- a compact post's id in place of a name
    content_hash           bytea       NOT NULL, -- SHA-256 of the content last accepted
    changed_by             text,       -- who made this version; null while nobody is identified
    PRIMARY KEY (kind, id)
) PARTITION BY LIST (kind);

CREATE TABLE remediation_audit PARTITION OF audit
    FOR VALUES IN ('remediation') PARTITION BY RANGE (id);
CREATE TABLE ai_analysis_audit PARTITION OF audit
    FOR VALUES IN ('aianalysis') PARTITION BY RANGE (id);
CREATE TABLE workflow_audit PARTITION OF audit
    FOR VALUES IN ('workflow') PARTITION BY RANGE (id);
CREATE TABLE execution_audit PARTITION OF audit
    FOR VALUES IN ('execution') PARTITION BY RANGE (id);

-- One for each filter that selects few rows. Those with a handful of values (phase, status,
-- severity, environment) are checked while walking the key; correlation and remediation request
-- go through `audit_correlation`.
--
-- The one on namespaces, which most lists ask for, has these columns beside the key: lists filtered by both find
-- and count what matches without reading records.
CREATE INDEX audit_namespace         ON audit (namespace, id) INCLUDE (severity, status, phase, environment)
    WHERE deleted_at IS NULL;
CREATE INDEX audit_name              ON audit (name, id);
CREATE INDEX audit_alert_name        ON audit (alert_name, id) WHERE alert_name IS NOT NULL;
CREATE INDEX audit_alert_fingerprint ON audit (alert_fingerprint, id) WHERE alert_fingerprint IS NOT NULL;
CREATE INDEX audit_cluster_name      ON audit (cluster_name, id) WHERE cluster_name IS NOT NULL;
CREATE INDEX audit_action_type       ON audit (action_type, id) WHERE action_type IS NOT NULL;

-- What is to be embedded: what has no model yet, the newest first, and every model but the present one.
CREATE INDEX audit_not_embedded    ON audit (id) WHERE embedding_model IS NULL;
CREATE INDEX audit_embedding_model ON audit (embedding_model) WHERE embedding_model > '';

-- The vectors that searches look at: those of visible records, each in one of two tables. They are not
-- indexed in `audit` itself, where every change of a record would insert into the HNSW index anew.
--
-- The indexed part.
CREATE TABLE audit_vector (
    kind      text   NOT NULL,
    id        bigint NOT NULL,
    model     text   NOT NULL,
    embedding vector({{embedding_dimensions}}) NOT NULL,
    PRIMARY KEY (kind, id)
) PARTITION BY RANGE (id);

CREATE INDEX audit_vector_embedding ON audit_vector
    USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64);

-- For searches while a new model has few vectors yet.
CREATE INDEX audit_vector_model ON audit_vector (model);

-- A vector as searches scan it: of length 1, in half precision if pgvector has that (since 0.7), which is half
-- the memory to read. Null if it has no direction.
CREATE FUNCTION audit_sketch(embedding vector) RETURNS {{quantised_type}}
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN vector_norm(embedding) > 0 THEN {{quantised_embedding}} END;

-- Where new vectors land. Searches scan it, so it has no HNSW index, and writes do not wait for one. The
-- sketch comes first and stays in its row. The vector itself is too long for that: it is stored apart and
-- read only for what the sketch says is near.
CREATE TABLE audit_vector_tail (
    sketch    {{quantised_type}}({{embedding_dimensions}}) GENERATED ALWAYS AS (audit_sketch(embedding)) STORED,
    kind      text   NOT NULL,
    id        bigint NOT NULL,
    model     text   NOT NULL,
    embedding vector({{embedding_dimensions}}) NOT NULL,
    PRIMARY KEY (kind, id)
);

-- The records whose state the vector database has yet to be told. It is read when it is delivered, so
-- a record is here once however often it changes; `revision` tells an earlier state from a later one.
CREATE TABLE audit_outbox (
    kind          text        NOT NULL,
    id            bigint      NOT NULL,
    revision      bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    claimed_until timestamptz NOT NULL DEFAULT '-infinity', -- until then somebody is delivering it
    PRIMARY KEY (kind, id)
);

CREATE INDEX audit_outbox_revision ON audit_outbox (revision);

-- Whether the vector database, together with the outbox, has every record: true until one is written
-- without it, null while `cargo xtask backfill` makes up for that.
CREATE TABLE audit_mirror (
    complete boolean
);
INSERT INTO audit_mirror VALUES (true);

-- Natural keys. Not partitioned and never dropped: a key is unique for ever.
CREATE TABLE audit_key (
    kind text   NOT NULL,
    key  bytea  NOT NULL, -- SHA-256 of the natural key
    id   bigint NOT NULL,
    PRIMARY KEY (kind, key)
);

-- Which records belong to a correlation id or a remediation request. Not partitioned, because
-- such a question knows no time.
CREATE TABLE audit_correlation (
    key  text   NOT NULL,
    kind text   NOT NULL,
    id   bigint NOT NULL,
    PRIMARY KEY (key, kind, id)
);

-- The states a record has left, by the month of the record, so that they go with it.
CREATE TABLE audit_version (
    kind         text        NOT NULL,
    id           bigint      NOT NULL,
    version      integer     NOT NULL,
    content_hash bytea       NOT NULL,
    state        jsonb       NOT NULL, -- as the API showed it
    PRIMARY KEY (kind, id, version)
) PARTITION BY RANGE (id);

-- A record in the API.
CREATE TYPE audit_shown AS (
    kind                   text,
    id                     bigint,
    name                   text,
    namespace              text,
    phase                  text,
    status                 text,
    action_type            text,
    alert_name             text,
    alert_fingerprint      text,
    severity               text,
    environment            text,
    cluster_name           text,
    target_resource        text,
    remediation_request_id text,
    correlation_id         text,
    start_time             text,
    end_time               text,
    duration               bigint,
    error_message          text,
    analysis_type          text,
    confidence_score       double precision,
    findings               jsonb,
    workflow_type          text,
    steps_completed        bigint,
    steps_total            bigint,
    action                 text,
    resource               text,
    metadata               jsonb,
    document               jsonb,
    embedding_model        text,
    version                integer,
    created_at             text,
    updated_at             text
);

-- A post, as the JSON of one has it: the columns of a record, where `id` is there if one was reserved and
-- `embedding_model` is empty if there is nothing to embed; and SHA-256 of the natural key.
CREATE TYPE audit_post AS (
    key                    bytea,
    kind                   text,
    id                     bigint,
    name                   text,
    namespace              text,
    phase                  text,
    status                 text,
    action_type            text,
    alert_name             text,
    alert_fingerprint      text,
    severity               text,
    environment            text,
    cluster_name           text,
    target_resource        text,
    remediation_request_id text,
    correlation_id         text,
    start_time             timestamptz,
    end_time               timestamptz,
    duration               bigint,
    error_message          text,
    analysis_type          text,
    confidence_score       double precision,
    findings               jsonb,
    workflow_type          text,
    steps_completed        bigint,
    steps_total            bigint,
    action                 text,
    resource               text,
    metadata               jsonb,
    document               jsonb,
    embedding              vector,
    embedding_model        text,
    state_rank             smallint,
    name_is_stand_in       boolean,
    content_hash           bytea,
    changed_by             text
);

-- A record that a search found.
CREATE TYPE audit_hit AS (kind text, id bigint, distance double precision);

-- Scanned, so it must not be stored apart from its row; nor the name of the model because the row is long.
ALTER TABLE audit_vector_tail ALTER COLUMN sketch SET STORAGE PLAIN, ALTER COLUMN model SET STORAGE PLAIN;

-- Rows leave as fast as they come, so vacuum must not wait for a fifth of the table.
ALTER TABLE audit_vector_tail SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- When the tail is next to be looked at by `audit_move_tail`.
CREATE TABLE audit_tail_move (
    rest_until timestamptz NOT NULL
);
INSERT INTO audit_tail_move VALUES ('-infinity');

-- Until when somebody is embedding on behalf of all instances. One at a time is enough, and keeps a
-- provider that has just come back from being overrun.
CREATE TABLE audit_embedding_lease (
    busy_until timestamptz NOT NULL,
    -- Records at a time. It grows with each answer and shrinks with each failure: a provider too slow for
    -- many in its time would never answer.
    batch      integer     NOT NULL
);
INSERT INTO audit_embedding_lease VALUES ('-infinity', 1);

-- Records whose text the provider refused, so that they do not hold up the others.
CREATE TABLE audit_embedding_refusal (
    kind     text        NOT NULL,
    id       bigint      NOT NULL,
    attempts integer     NOT NULL,
    retry_at timestamptz NOT NULL,
    PRIMARY KEY (kind, id)
);
