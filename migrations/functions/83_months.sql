-- Months: which there are, which have been kept long enough, and which of those may go. 85_retention.sql has how they leave.

-- The kind whose records a partition has; null for those of versions and vectors, which have all kinds.
CREATE OR REPLACE FUNCTION audit_leaf_kind(leaf text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE left(leaf, -8) -- without _YYYY_MM
    WHEN 'remediation_audit' THEN 'remediation'
    WHEN 'ai_analysis_audit' THEN 'aianalysis'
    WHEN 'workflow_audit' THEN 'workflow'
    WHEN 'execution_audit' THEN 'execution'
END;

-- The first day of a partition's month; null for a table of any other name.
CREATE OR REPLACE FUNCTION audit_leaf_month(leaf text) RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN translate(right(leaf, 8), '123456789', '000000000') = '_0000_00' THEN to_date(right(leaf, 7), 'YYYY_MM')
END;

-- All partitions of the tables that have one for each month. OFFSET, so that nothing is made of the names of other tables, of which
-- there are many: this is asked for often.
CREATE OR REPLACE FUNCTION audit_leaves() RETURNS TABLE (parent regclass, leaf text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT i.inhparent::regclass, c.relname::text
    FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent IN (
        'remediation_audit'::regclass, 'ai_analysis_audit'::regclass, 'workflow_audit'::regclass, 'execution_audit'::regclass,
        'audit_version'::regclass, 'audit_vector'::regclass
    )
    OFFSET 0;
END;

-- The months that have a partition for records of a kind.
CREATE OR REPLACE FUNCTION audit_months() RETURNS TABLE (kind text, month date, parent regclass, leaf text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT audit_leaf_kind(l.leaf), audit_leaf_month(l.leaf), l.parent, l.leaf
    FROM audit_leaves() AS l
    WHERE audit_leaf_kind(l.leaf) IS NOT NULL;
END;

-- Whether a month may be dropped: it was not restored a short while ago, and is archived as it is now, if `archived_only` asks
-- for that.
CREATE OR REPLACE FUNCTION audit_may_go(record_kind text, record_month date, archived_only boolean) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(
        (
            SELECT r.kept_until <= clock_timestamp()
                AND (NOT archived_only OR (r.archived_at IS NOT NULL AND NOT r.changed))
            FROM audit_retention AS r
            WHERE r.kind = record_kind AND r.month = record_month
        ),
        NOT archived_only
    );
END;

-- The tables of vectors and versions of months that have no kind left, and are not on their way out.
CREATE OR REPLACE FUNCTION audit_months_without_kinds() RETURNS TABLE (leaf text, month date)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT l.leaf, audit_leaf_month(l.leaf)
    FROM audit_leaves() AS l
    WHERE audit_leaf_kind(l.leaf) IS NULL
        AND audit_leaf_month(l.leaf) NOT IN (SELECT m.month FROM audit_months() AS m)
        AND l.leaf NOT IN (SELECT d.leaf FROM audit_detached AS d);
END;

-- The months that have been kept long enough. `keep` has a number of months for each kind, and a month is kept until so many
-- have passed since its end; 0, or none, keeps all records of a kind. So every record is kept at least that long, and neither
-- the present month nor a later one is ever named.
CREATE OR REPLACE FUNCTION audit_months_kept(keep jsonb, at timestamptz) RETURNS TABLE (kind text, month date)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT m.kind, m.month
    FROM audit_months() AS m
    WHERE (keep ->> m.kind)::integer > 0
        AND m.month < date_trunc('month', at AT TIME ZONE 'UTC') - make_interval(months => (keep ->> m.kind)::integer);
END;

-- Those of them that may be dropped, the oldest first.
CREATE OR REPLACE FUNCTION audit_months_due(
    keep jsonb, archived_only boolean, at timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (kind text, month date)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT k.kind, k.month
    FROM audit_months_kept(keep, at) AS k
    WHERE audit_may_go(k.kind, k.month, archived_only)
    ORDER BY k.month, k.kind;
END;

-- The months of the log of events, which have no kind: each is dropped by itself (96_event_retention.sql).
CREATE OR REPLACE FUNCTION audit_event_leaves() RETURNS TABLE (leaf text, month date)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT c.relname::text, audit_leaf_month(c.relname::text)
    FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'audit_event'::regclass
    OFFSET 0;
END;

-- Those that have been kept long enough. Each event says for how many days that is, which count from the end of its month. The
-- number of months that `keep` has for `events` is the least time; 0, or none, keeps all.
CREATE OR REPLACE FUNCTION audit_event_months_kept(keep jsonb, at timestamptz) RETURNS TABLE (leaf text, month date)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT l.leaf, l.month
    FROM audit_event_leaves() AS l
    LEFT JOIN audit_event_month AS m ON m.month = l.month
    WHERE (keep ->> 'events')::integer > 0
        AND l.month < date_trunc('month', at AT TIME ZONE 'UTC') - make_interval(months => (keep ->> 'events')::integer)
        -- Of events that nobody has noted, the longest time that there is.
        AND l.month + interval '1 month' + make_interval(days => coalesce(m.longest, 2555)) <= at AT TIME ZONE 'UTC'
        AND m.settled IS NOT TRUE;
END;

-- Those of them that may be dropped.
CREATE OR REPLACE FUNCTION audit_event_months_due(
    keep jsonb, archived_only boolean, at timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (leaf text, month date)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT k.leaf, k.month
    FROM audit_event_months_kept(keep, at) AS k
    WHERE audit_may_go('events', k.month, archived_only);
END;

-- Those that stay only because they are not archived as they are, and that was not said today.
CREATE OR REPLACE FUNCTION audit_months_held(keep jsonb) RETURNS TABLE (kind text, month date)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT k.kind, k.month
    FROM (
        SELECT kind, month FROM audit_months_kept(keep, clock_timestamp())
        UNION ALL
        SELECT 'events', month FROM audit_event_months_kept(keep, clock_timestamp())
    ) AS k
    WHERE audit_may_go(k.kind, k.month, false)
        AND NOT audit_may_go(k.kind, k.month, true)
        AND NOT EXISTS (
            SELECT
            FROM audit_retention AS r
            WHERE r.kind = k.kind AND r.month = k.month AND r.held_at > clock_timestamp() - interval '1 day'
        );
END;

-- Has the caller say it, nobody else, and not before a day has passed: an array of texts such as `remediation 2025-01`; null if
-- there is nothing to be said.
CREATE OR REPLACE FUNCTION audit_say_held(keep jsonb) RETURNS text
LANGUAGE sql
BEGIN ATOMIC
    WITH said AS (
        INSERT INTO audit_retention AS r (kind, month, held_at)
        SELECT h.kind, h.month, clock_timestamp() FROM audit_months_held(keep) AS h ORDER BY h.kind, h.month
        ON CONFLICT (kind, month) DO UPDATE
        SET held_at = excluded.held_at
        WHERE r.held_at IS NULL OR r.held_at < excluded.held_at - interval '1 day'
        RETURNING r.kind, r.month
    )
    SELECT json_agg(s.kind || to_char(s.month, ' YYYY-MM') ORDER BY s.month, s.kind)::text FROM said AS s;
END;

-- The partition of each month that can be archived: those of the kinds, and those of events, which go by the name of a kind.
CREATE OR REPLACE FUNCTION audit_archivable() RETURNS TABLE (kind text, month date, leaf text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT m.kind, m.month, m.leaf FROM audit_months() AS m
    UNION ALL
    SELECT 'events', e.month, e.leaf FROM audit_event_leaves() AS e;
END;
