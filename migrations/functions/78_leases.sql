-- Leases: what somebody works at, or rests from, until a time that is never far away.

-- Whether a lease still holds. One that ends later than any that is given was given by a clock that was set back since then. How long
-- ago that was nobody knows, so it is over.
CREATE OR REPLACE FUNCTION audit_is_leased(until timestamptz) RETURNS boolean
LANGUAGE sql VOLATILE
RETURN until > clock_timestamp() AND until < clock_timestamp() + interval '2 minutes';
