-- The vectors that searches look at, and the announcements to the vector database.

-- Every vector that searches look at, wherever it is.
CREATE OR REPLACE VIEW audit_searchable AS
SELECT kind, id, model, embedding FROM audit_vector
UNION ALL
SELECT kind, id, model, embedding FROM audit_vector_tail;

-- Lets searches find a record by `embedding`, in place of the vector it had. The tail comes first: a
-- concurrent move has the record in one of the two, and this waits for it before looking into the other.
CREATE OR REPLACE FUNCTION audit_place_vector(record_kind text, record_id bigint, model text, embedding vector) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO audit_vector_tail AS t (kind, id, model, embedding)
    VALUES (record_kind, record_id, model, embedding)
    ON CONFLICT (kind, id) DO UPDATE SET model = excluded.model, embedding = excluded.embedding;
    DELETE FROM audit_vector AS v WHERE v.kind = record_kind AND v.id = record_id;
END
$$;

-- Lets searches find a record no more. In the same order, for the same reason.
CREATE OR REPLACE FUNCTION audit_remove_vector(record_kind text, record_id bigint) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM audit_vector_tail AS t WHERE t.kind = record_kind AND t.id = record_id;
    DELETE FROM audit_vector AS v WHERE v.kind = record_kind AND v.id = record_id;
END
$$;

-- Has the vector database told about a record, if `vector_db` says that there is one.
CREATE OR REPLACE FUNCTION audit_announce(record_kind text, record_id bigint, vector_db boolean) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF vector_db THEN
        INSERT INTO audit_outbox AS o (kind, id)
        VALUES (record_kind, record_id)
        ON CONFLICT (kind, id) DO UPDATE SET revision = DEFAULT, claimed_until = DEFAULT;
    ELSE
        UPDATE audit_vector_db SET complete = false WHERE complete IS DISTINCT FROM false;
    END IF;
END
$$;
