-- Read replicas: whether a server follows the primary, and what it may lack.
--
-- A replica that has replayed all that the primary has on its disk lacks nothing, however long the primary has been idle and whether or
-- not the two are connected. Any other one has at least what was committed before the last transaction that it has replayed. Both are
-- told by the log itself, and times are those of the primary's clock, so neither the replica's clock nor a heartbeat is needed. What
-- is asked here needs no privilege of the server's.
--
-- Servers that share a history for a while may part: one is promoted, and the other goes on. PostgreSQL counts a timeline up then, but
-- two may take the same number, and a replica does not say which it is on. So the primary's lineage is noted in the database: the
-- number of its timeline, and something that no other primary noted.

-- The lineage of a primary; null if it was not noted since this server was promoted. Not for replicas, which have that of their
-- primary in `audit_setting`.
CREATE OR REPLACE FUNCTION audit_lineage() RETURNS text
LANGUAGE sql STABLE
RETURN (
    SELECT value
    FROM audit_setting
    WHERE name = 'lineage'
        AND split_part(value, ' ', 1) = left(pg_walfile_name(pg_current_wal_flush_lsn()), 8)
);

-- Notes it, once after each promotion.
CREATE OR REPLACE FUNCTION audit_note_lineage() RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF audit_lineage() IS NULL THEN
        INSERT INTO audit_setting AS noted (name, value)
        VALUES ('lineage', left(pg_walfile_name(pg_current_wal_flush_lsn()), 8) || ' ' || gen_random_uuid())
        ON CONFLICT (name) DO UPDATE SET value = excluded.value
        -- Somebody else may just have done it.
        WHERE split_part(noted.value, ' ', 1) <> split_part(excluded.value, ' ', 1);
    END IF;
END
$$;

-- A time as microseconds since 1970.
CREATE OR REPLACE FUNCTION audit_microseconds(at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (extract(epoch FROM at) * 1000000)::bigint;

-- Which server this is and how far it has come, as JSON. `system` is the same for a primary and its replicas; `is_replica`; `lineage`, of a
-- primary null if it is yet to be noted. `reached` is how far its log does, in bytes: a primary's on its disk, a replica's as far as it
-- has replayed. `at`, in microseconds, is a primary's time; a replica's is that of the last transaction that it has replayed, null if
-- there was none since its start.
CREATE OR REPLACE FUNCTION audit_position() RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    is_replica CONSTANT boolean := pg_is_in_recovery();
BEGIN
    RETURN json_build_object(
        'system', (SELECT system_identifier::text FROM pg_control_system()),
        'is_replica', is_replica,
        'lineage', CASE
            WHEN is_replica THEN (SELECT value FROM audit_setting WHERE name = 'lineage')
            ELSE audit_lineage()
        END,
        'reached', CASE
            WHEN is_replica THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn()
        END - '0/0'::pg_lsn,
        'at', audit_microseconds(
            CASE WHEN is_replica THEN pg_last_xact_replay_timestamp() ELSE clock_timestamp() END
        )
    )::text;
END
$$;

-- Whether this server is a replica of the primary of this `system` and `lineage`, and has either replayed its log up to `reached`
-- or all that was committed before `since`. What was committed after `until`, in times of the primary's clock too, was so before that
-- clock was set back, and says nothing. Who asks a server that is a replica no more loses the connection: the address of replicas
-- leads elsewhere by then, and connections that are kept would lead here for ever.
CREATE OR REPLACE FUNCTION audit_follows(system text, lineage text, reached bigint, since bigint, until bigint)
RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF NOT pg_is_in_recovery() THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
        RETURN false;
    END IF;
    RETURN (
        pg_last_wal_replay_lsn() - '0/0'::pg_lsn >= reached
        OR audit_microseconds(pg_last_xact_replay_timestamp()) BETWEEN since AND until
    )
        AND EXISTS (SELECT FROM audit_setting AS s WHERE s.name = 'lineage' AND s.value = audit_follows.lineage)
        AND EXISTS (SELECT FROM pg_control_system() AS c WHERE c.system_identifier::text = audit_follows.system);
END
$$;
