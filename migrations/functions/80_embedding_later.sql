-- Records whose vector is missing, or was made by another model, get theirs later, or all
-- at once by `cargo xtask backfill`. `embedding_model` says which they are, so nothing is ever forgotten
-- and an interrupted run goes on where it was.

-- At most `wanted` records that `model` is to embed, as an array of {kind, id, version, parts}, those
-- without any vector first, the newest of them first. Not those that were refused just now.
--
-- Generic plans without bitmaps and sorts walk the indexes for what is to be embedded, and end with what is wanted.
CREATE OR REPLACE FUNCTION audit_embedding_pending(model text, wanted integer) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_bitmapscan = off SET enable_seqscan = off SET enable_sort = off
AS $$
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'kind', (a).kind,
            'id', (a).id,
            'version', (a).version,
            'parts', audit_embedding_parts(a)
        )), '[]')
        FROM (
            (
                SELECT a FROM audit AS a
                WHERE a.embedding_model IS NULL
                    AND NOT EXISTS (
                        SELECT FROM audit_embedding_refusal AS r
                        WHERE r.kind = a.kind AND r.id = a.id AND r.retry_at > now()
                    )
                ORDER BY a.id DESC
                LIMIT wanted
            )
            UNION ALL
            (
                SELECT a FROM audit AS a
                WHERE a.embedding_model > ''
                    AND a.embedding_model < model
                    AND a.deleted_at IS NULL
                    AND NOT EXISTS (
                        SELECT FROM audit_embedding_refusal AS r
                        WHERE r.kind = a.kind AND r.id = a.id AND r.retry_at > now()
                    )
                LIMIT wanted
            )
            UNION ALL
            (
                SELECT a FROM audit AS a
                WHERE a.embedding_model > ''
                    AND a.embedding_model > model
                    AND a.deleted_at IS NULL
                    AND NOT EXISTS (
                        SELECT FROM audit_embedding_refusal AS r
                        WHERE r.kind = a.kind AND r.id = a.id AND r.retry_at > now()
                    )
                LIMIT wanted
            )
            LIMIT wanted
        ) AS pending (a)
    );
END
$$;

-- As `audit_embedding_pending`, for one caller at a time: null if there is nothing to do or somebody else
-- does it. The caller has `lease` to bring the vectors.
CREATE OR REPLACE FUNCTION audit_embedding_claim(model text, lease interval) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    pending jsonb;
BEGIN
    IF EXISTS (SELECT FROM audit_embedding_lease WHERE audit_is_leased(busy_until)) THEN
        RETURN NULL;
    END IF;
    pending := audit_embedding_pending(model, (SELECT batch FROM audit_embedding_lease));
    IF pending = '[]' THEN
        RETURN NULL;
    END IF;
    UPDATE audit_embedding_lease
    SET busy_until = clock_timestamp() + lease
    WHERE NOT audit_is_leased(busy_until);
    RETURN CASE WHEN FOUND THEN pending END;
END
$$;

-- Lets the next caller claim after `pause`.
CREATE OR REPLACE FUNCTION audit_embedding_release(pause interval) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    UPDATE audit_embedding_lease SET busy_until = clock_timestamp() + pause;
END;

-- The same, where the number of records is up to the provider: the next caller gets more of them, at most
-- `largest`, if it answered for all of these, and fewer, after `pause`, if it did not.
CREATE OR REPLACE FUNCTION audit_embedding_conclude(complete boolean, pause interval, largest integer) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    UPDATE audit_embedding_lease
    SET busy_until = CASE WHEN complete THEN clock_timestamp() ELSE clock_timestamp() + pause END,
        batch = CASE WHEN complete THEN least(batch * 2, largest) ELSE greatest(batch / 2, 1) END;
END;

-- Stores vectors of pending records: an array of {kind, id, version, model, vector}, without `vector` where
-- there is nothing to embed, and without `model` where the provider refused. A record that has changed
-- since is left for the next time. Returns how many records are done.
CREATE OR REPLACE FUNCTION audit_embed(vectors jsonb, vector_db boolean) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    entry record;
    done  integer := 0;
BEGIN
    FOR entry IN
        SELECT *
        FROM jsonb_to_recordset(vectors) AS v (kind text, id bigint, version integer, model text, vector text)
        ORDER BY kind, id -- so that two callers never wait for each other in a circle
    LOOP
        IF entry.model IS NULL THEN
            -- Retention may have dropped it meanwhile.
            INSERT INTO audit_embedding_refusal AS r (kind, id, attempts, retry_at)
            SELECT a.kind, a.id, 1, now() + interval '1 minute'
            FROM audit AS a
            WHERE a.kind = entry.kind AND a.id = entry.id
            ON CONFLICT (kind, id) DO UPDATE
            SET attempts = r.attempts + 1,
                retry_at = now() + least(interval '1 minute' * 2 ^ r.attempts, interval '1 hour');
            CONTINUE;
        END IF;

        UPDATE audit AS a
        SET embedding = entry.vector::vector, embedding_model = entry.model
        WHERE a.kind = entry.kind AND a.id = entry.id AND a.version = entry.version AND a.deleted_at IS NULL;
        CONTINUE WHEN NOT FOUND;

        IF entry.vector IS NULL THEN
            PERFORM audit_remove_vector(entry.kind, entry.id);
        ELSE
            PERFORM audit_place_vector(entry.kind, entry.id, entry.model, entry.vector::vector);
        END IF;
        PERFORM audit_announce(entry.kind, entry.id, vector_db);
        DELETE FROM audit_embedding_refusal AS r WHERE r.kind = entry.kind AND r.id = entry.id;
        done := done + 1;
    END LOOP;
    RETURN done;
END
$$;
