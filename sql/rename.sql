-- Seven table types get their _idx_ names, parents and partitions, or their old ones back.
--
-- Names only: no row is touched. Everything is counted before and after under one lock, in the
-- caller's transaction, and a difference undoes all of it. What has its new name already is left
-- alone, so that a second call does nothing.
CREATE OR REPLACE FUNCTION bqx.rename_families(pairs text[], back boolean DEFAULT false)
RETURNS TABLE (
    old_name text, new_name text, partitions bigint,
    rows_before bigint, rows_after bigint,
    null_share_before float8, null_share_after float8
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    each record;
    parent record;
    taken text;
BEGIN
    -- One migration at a time, whichever way.
    PERFORM pg_advisory_xact_lock(hashtext('bqx.rename_families'));
    DROP TABLE IF EXISTS pg_temp.renamed, pg_temp.counted;
    CREATE TEMP TABLE renamed ON COMMIT DROP AS
    SELECT
        c.oid AS relation, c.relname::text AS was,
        n.becomes || '_' || p.pair || substr(c.relname, length(n.stands || '_' || p.pair) + 1)
            AS becomes,
        c.relispartition AS is_partition
    FROM (
        SELECT
            CASE WHEN back THEN renames.new ELSE renames.old END AS stands,
            CASE WHEN back THEN renames.old ELSE renames.new END AS becomes
        FROM (VALUES
            ('reg', 'reg_idx'),
            ('statistics_features', 'statistics_idx'),
            ('bollinger_features', 'bollinger_idx'),
            ('fibonacci_features', 'fibonacci_idx'),
            ('volume_features', 'volume_idx'),
            ('spread_features', 'spread_idx'),
            ('correlation_features', 'correlation_idx')
        ) AS renames (old, new)
    ) AS n
    CROSS JOIN unnest(pairs) AS p (pair)
    -- An underscore in LIKE would stand for any letter.
    JOIN pg_class c
        ON c.relnamespace = 'bqx'::regnamespace AND c.relkind IN ('r', 'p')
        AND c.relname ~ ('^' || n.stands || '_' || p.pair || '(_y?[0-9]{4}(_|m)[0-9]{2})?$');

    SELECT r.becomes INTO taken FROM renamed r
    WHERE to_regclass(format('bqx.%I', r.becomes)) IS NOT NULL ORDER BY 1 LIMIT 1;
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION 'both the old and the new name of % exist', taken
            USING ERRCODE = 'duplicate_table';
    END IF;

    FOR each IN SELECT was FROM renamed WHERE NOT is_partition ORDER BY was LOOP
        EXECUTE format('LOCK TABLE bqx.%I IN ACCESS EXCLUSIVE MODE', each.was);
    END LOOP;
    CREATE TEMP TABLE counted (
        relation oid, is_after boolean, partitions bigint, rows bigint, nulls numeric, cells numeric
    ) ON COMMIT DROP;
    PERFORM bqx.count_families(false);
    FOR each IN SELECT was, becomes FROM renamed ORDER BY was LOOP
        EXECUTE format('ALTER TABLE bqx.%I RENAME TO %I', each.was, each.becomes);
    END LOOP;
    PERFORM bqx.count_families(true);

    FOR parent IN
        SELECT r.was FROM renamed r
        JOIN counted b ON b.relation = r.relation AND NOT b.is_after
        JOIN counted a ON a.relation = r.relation AND a.is_after
        WHERE (a.partitions, a.rows, a.nulls) IS DISTINCT FROM (b.partitions, b.rows, b.nulls)
    LOOP
        RAISE EXCEPTION 'the content of % changed', parent.was;
    END LOOP;
    RETURN QUERY
    SELECT
        r.was, r.becomes, a.partitions, b.rows, a.rows,
        (b.nulls / nullif(b.cells, 0))::float8, (a.nulls / nullif(a.cells, 0))::float8
    FROM renamed r
    JOIN counted b ON b.relation = r.relation AND NOT b.is_after
    JOIN counted a ON a.relation = r.relation AND a.is_after
    ORDER BY r.was;
END $$;

-- Counts the parents among the tables to rename, under whatever name they have now.
CREATE OR REPLACE FUNCTION bqx.count_families(is_after boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    each record;
BEGIN
    FOR each IN
        SELECT
            r.relation, r.relation::regclass::text AS name, count(*) AS columns,
            string_agg(format('count(%I)', a.attname), ' + ') AS filled,
            (SELECT count(*) FROM pg_inherits WHERE inhparent = r.relation) AS partitions
        FROM pg_temp.renamed r
        JOIN pg_attribute a ON a.attrelid = r.relation AND a.attnum > 0 AND NOT a.attisdropped
        WHERE NOT r.is_partition
        GROUP BY r.relation
    LOOP
        EXECUTE format(
            'INSERT INTO pg_temp.counted SELECT %s, %L, %s, count(*), '
            'count(*) * %s - (%s), count(*) * %s FROM %s',
            each.relation, is_after, each.partitions, each.columns, each.filled, each.columns,
            each.name
        );
    END LOOP;
END $$;

REVOKE ALL ON FUNCTION bqx.rename_families(text[], boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION bqx.count_families(boolean) FROM PUBLIC;
