-- Ids, which carry the time at which their record was stored. tables/0001_tables.sql says how.

-- The lowest id of the millisecond that `at` falls into.
CREATE OR REPLACE FUNCTION audit_id_at(at timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (floor(extract(epoch FROM at) * 1000)::bigint - 1704067200000) << 12;

-- The time that an id carries, to the millisecond.
CREATE OR REPLACE FUNCTION audit_id_time(id bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_timestamp(((id >> 12) + 1704067200000) / 1000::double precision);

-- The first day of the month in which a record was stored, which is the month of its partition.
CREATE OR REPLACE FUNCTION audit_month(id bigint) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN date_trunc('month', audit_id_time(id) AT TIME ZONE 'UTC')::date;

-- A new id. Two calls in one millisecond differ in the sequence's bits.
CREATE OR REPLACE FUNCTION audit_next_id() RETURNS bigint
LANGUAGE sql VOLATILE
RETURN (floor(date_part('epoch', clock_timestamp()) * 1000)::bigint - 1704067200000) << 12
    | nextval('audit_id_sequence');
