-- What the release before this one needs. It goes with the next release: delete this file, and drop what it defines by
-- a migration of tables/.

-- The verdict of that release asks for the newest migration, 1 or more. Its migrations refuse a database that has more.
CREATE OR REPLACE VIEW schema_migration AS
SELECT 2 AS version, 'replaced by schema_tables and schema_functions' AS name, '' AS sha256;
