-- The names that the words of today ask for, where the service of the previous release can do without the old ones:
-- it calls functions, and functions/90_previous_release.sql keeps what its statements in flight may still name.

ALTER TABLE audit_mirror RENAME TO audit_vector_db;

ALTER FUNCTION audit_sketch(vector) RENAME TO audit_quantise;

-- The record of the migrations before they were split into tables and functions; a view takes its place there.
DROP TABLE IF EXISTS schema_migration;
