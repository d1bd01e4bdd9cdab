-- Least privilege: a reader reads, a writer also writes rows and has partitions made; neither owns
-- a table, and nobody else sees the schema. Give them to users: GRANT bqx_reader TO somebody.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bqx_reader') THEN
        CREATE ROLE bqx_reader NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bqx_writer') THEN
        CREATE ROLE bqx_writer NOLOGIN;
    END IF;
END $$;

REVOKE ALL ON SCHEMA bqx FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA bqx FROM PUBLIC;

GRANT USAGE ON SCHEMA bqx TO bqx_reader, bqx_writer;
GRANT SELECT ON ALL TABLES IN SCHEMA bqx TO bqx_reader, bqx_writer;
GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA bqx TO bqx_writer;
REVOKE INSERT, UPDATE, DELETE ON bqx.facts, bqx.columns FROM bqx_writer;
GRANT EXECUTE ON FUNCTION bqx.add_month(text, date) TO bqx_writer;

-- Tables and partitions that come later.
ALTER DEFAULT PRIVILEGES IN SCHEMA bqx GRANT SELECT ON TABLES TO bqx_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA bqx GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO bqx_writer;
