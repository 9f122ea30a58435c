-- The record of the migrations before they were split into tables and functions. A view takes its place, in
-- functions/90_previous_release.sql.
DROP TABLE IF EXISTS schema_migration;
