-- What the release before this one calls, and what statements of it that are in flight during an upgrade may still name.
-- It goes with the next release: delete this file, and drop what it defines by a migration of tables/.

-- Readiness of that release asks for the newest migration, 8 or more. Its migrations refuse a database that has more.
CREATE OR REPLACE VIEW schema_migration AS
SELECT 9 AS version, 'replaced by schema_tables and schema_functions' AS name, '' AS sha256;

-- Now `audit_vector_db`.
CREATE OR REPLACE VIEW audit_mirror AS
SELECT complete FROM audit_vector_db;

-- Now `audit_quantise`.
CREATE OR REPLACE FUNCTION audit_sketch(embedding vector) RETURNS audit_vector_tail.sketch%TYPE
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN audit_quantise(embedding);

-- Now `audit_maintenance_due`, which also names partitions.
CREATE OR REPLACE FUNCTION audit_chores(model text) RETURNS text
LANGUAGE sql STABLE
RETURN rtrim(replace(audit_maintenance_due(model), 'partition', ''));

-- Now `audit_vector_db_entries`.
CREATE OR REPLACE FUNCTION audit_mirrored(entries jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN audit_vector_db_entries(entries);

-- Now `audit_vector_db_begin`, `audit_vector_db_fill` and `audit_vector_db_end`.
CREATE OR REPLACE FUNCTION audit_mirror_begin() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    SELECT audit_vector_db_begin();
END;

CREATE OR REPLACE FUNCTION audit_mirror_fill(record_kind text, after bigint, step integer) RETURNS bigint
LANGUAGE sql
RETURN audit_vector_db_fill(record_kind, after, step);

CREATE OR REPLACE FUNCTION audit_mirror_end() RETURNS boolean
LANGUAGE sql
RETURN audit_vector_db_end();

-- These have a parameter more.
CREATE OR REPLACE FUNCTION audit_patch(
    record_kind text, record_id bigint, patch jsonb, caller text, vector_db boolean
) RETURNS text
LANGUAGE sql
RETURN audit_patch(record_kind, record_id, patch, caller, vector_db, NULL);

CREATE OR REPLACE FUNCTION audit_delete(
    record_kind text, record_id bigint, caller text, vector_db boolean
) RETURNS boolean
LANGUAGE sql
RETURN audit_delete(record_kind, record_id, caller, vector_db, NULL);

CREATE OR REPLACE FUNCTION audit_search_among(
    candidates jsonb,
    probe text,
    probe_model text,
    kinds jsonb,
    wanted integer,
    min_similarity double precision
) RETURNS text
LANGUAGE sql STABLE
RETURN audit_search_among(candidates, probe, probe_model, kinds, wanted, min_similarity, '[]');

CREATE OR REPLACE FUNCTION audit_list(
    form text, record_kind text, filter jsonb, before bigint, page_limit bigint, page_offset bigint
) RETURNS text
LANGUAGE sql VOLATILE
RETURN audit_list(form, record_kind, filter, before, page_limit, page_offset, 'previous', NULL);

-- Now page by page.
CREATE OR REPLACE FUNCTION audit_versions(record_kind text, record_id bigint) RETURNS text
LANGUAGE sql STABLE
RETURN audit_versions(record_kind, record_id, 0, 1000);
