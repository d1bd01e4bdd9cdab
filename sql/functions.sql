-- Tables of pairs and partitions of months. Writers may call these and own nothing.

-- The tables of a pair, one of each type of the schema, and its view of the newest bars.
CREATE OR REPLACE FUNCTION bqx.add_pair(pair text) RETURNS integer
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    shape name;
    made integer := 0;
BEGIN
    IF pair !~ '^[a-z]{6}$' THEN
        RAISE EXCEPTION 'no pair: %', pair USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR shape IN
        SELECT relname FROM pg_class WHERE relnamespace = 'bqx'::regnamespace AND relkind = 'c'
        ORDER BY relname
    LOOP
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS bqx.%I OF bqx.%I (PRIMARY KEY (%s)) '
            'PARTITION BY RANGE (ts_utc)',
            shape || '_' || pair, shape,
            CASE shape WHEN 'm1' THEN 'ts_utc, known_at' ELSE 'ts_utc' END
        );
        made := made + 1;
    END LOOP;
    EXECUTE format(
        'CREATE OR REPLACE VIEW bqx.%I AS '
        'SELECT DISTINCT ON (m.ts_utc) m.ts_utc, m.known_at, m.open, m.high, m.low, m.close, '
        'm.volume, m.spread, 100.0 * m.close / b.baseline AS rate_index '
        'FROM bqx.%I m LEFT JOIN bqx.baselines b ON b.pair = %L '
        'ORDER BY m.ts_utc DESC, m.known_at DESC',
        'rates_' || pair, 'm1_' || pair, pair
    );
    RETURN made;
END $$;

-- The partition of a table for a month, made when it is absent; its name.
CREATE OR REPLACE FUNCTION bqx.add_month(parent text, month date) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    first timestamptz := date_trunc('month', month::timestamptz);
    part text := parent || to_char(first, '"_y"YYYY"m"MM');
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_class
        WHERE relnamespace = 'bqx'::regnamespace AND relkind = 'p' AND relname = parent
    ) THEN
        RAISE EXCEPTION 'relation "bqx.%" does not exist', parent USING ERRCODE = 'undefined_table';
    END IF;
    -- Two writers must not make it at the same time.
    PERFORM pg_advisory_xact_lock(hashtext(part));
    IF to_regclass(format('bqx.%I', part)) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE bqx.%I PARTITION OF bqx.%I FOR VALUES FROM (%L) TO (%L) '
            'WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)',
            part, parent, first, first + interval '1 month'
        );
    END IF;
    RETURN part;
END $$;
