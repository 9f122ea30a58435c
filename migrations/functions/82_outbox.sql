-- The transactional outbox: the vector database has what `audit_outbox` does not name. A delivery reads the present
-- state of a record and its revision, so it may be repeated, and a late one never undoes a later one.

-- What the vector database is told about records: an array of {id, kind, revision, created_at, model,
-- embedding}, the last two null for one that has no vector or is hidden, and {gone: true} beside them for one that retention
-- has dropped. `entries` are {kind, id, revision}; null if there are none.
CREATE OR REPLACE FUNCTION audit_vector_db_entries(entries jsonb) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT jsonb_agg(jsonb_build_object(
        'id', e.id,
        'kind', e.kind,
        'revision', e.revision,
        'created_at', audit_rfc3339(audit_id_time(e.id)),
        'model', v.model,
        'embedding', v.embedding::text
    ) || CASE
        WHEN EXISTS (SELECT FROM audit AS a WHERE a.kind = e.kind AND a.id = e.id) THEN '{}'
        ELSE '{"gone": true}'::jsonb
    END)
    FROM jsonb_to_recordset(entries) AS e (kind text, id bigint, revision bigint)
    LEFT JOIN LATERAL (
        SELECT model, embedding FROM audit_searchable WHERE kind = e.kind AND id = e.id
    ) AS v ON true;
END;

-- Claims at most `wanted` entries of the outbox, the oldest first, for the time of `lease`, and returns what
-- to tell, or null if there is nothing. The state is read by a statement of its own, which sees at least what
-- the claimed revision stands for.
CREATE OR REPLACE FUNCTION audit_outbox_claim(wanted integer, lease interval) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    claimed jsonb;
BEGIN
    WITH due AS (
        SELECT kind, id
        FROM audit_outbox
        WHERE NOT audit_is_leased(claimed_until)
        ORDER BY revision
        LIMIT wanted
        FOR UPDATE SKIP LOCKED
    ), updated AS (
        UPDATE audit_outbox AS o
        SET claimed_until = clock_timestamp() + lease
        FROM due
        WHERE o.kind = due.kind AND o.id = due.id
        RETURNING o.kind, o.id, o.revision
    )
    SELECT jsonb_agg(to_jsonb(updated)) INTO claimed FROM updated;
    RETURN audit_vector_db_entries(claimed)::text;
END
$$;

-- What to tell about these records of one kind right after they were written, as `audit_outbox_claim`.
CREATE OR REPLACE FUNCTION audit_outbox_of(record_kind text, ids jsonb) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT audit_vector_db_entries(jsonb_agg(to_jsonb(o)))::text
    FROM audit_outbox AS o
    WHERE o.kind = record_kind
        AND o.id IN (SELECT value::bigint FROM jsonb_array_elements_text(ids));
END;

-- Strikes out what the vector database has confirmed, unless the record has changed since.
CREATE OR REPLACE FUNCTION audit_outbox_done(entries jsonb) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    DELETE FROM audit_outbox AS o
    USING jsonb_to_recordset(entries) AS e (kind text, id bigint, revision bigint)
    WHERE o.kind = e.kind AND o.id = e.id AND o.revision = e.revision;
END;

-- Gives entries back that could not be delivered, so that the next one need not wait for the lease.
CREATE OR REPLACE FUNCTION audit_outbox_return(entries jsonb, pause interval) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    UPDATE audit_outbox AS o
    SET claimed_until = clock_timestamp() + pause
    FROM jsonb_to_recordset(entries) AS e (kind text, id bigint, revision bigint)
    WHERE o.kind = e.kind AND o.id = e.id AND o.revision = e.revision;
END;

-- Those of `ids` that no delivery is going to name.
CREATE OR REPLACE FUNCTION audit_outbox_lacks(ids jsonb) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(jsonb_agg(i.value), '[]')::text
    FROM jsonb_array_elements(ids) AS i
    WHERE NOT EXISTS (SELECT FROM audit_outbox AS o WHERE o.id = i.value::bigint);
END;
