-- The schema, what it is made for, and the bars.
CREATE SCHEMA bqx;

CREATE TABLE bqx.facts (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    schema_version integer NOT NULL
);

-- What decides the values of each column of the families: the identity of its feature.
CREATE TABLE bqx.columns (
    name text PRIMARY KEY,
    identity text NOT NULL
);

-- The close that is 100 on a pair's rate index, whatever part of its bars is read.
CREATE TABLE bqx.baselines (
    pair text PRIMARY KEY,
    baseline float8 NOT NULL
);

-- What each partition of a family holds: the hash of the file that it was loaded from.
CREATE TABLE bqx.loads (
    relation text,
    month date,
    content text NOT NULL,
    rows bigint NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (relation, month)
);

-- Bars and their corrections: a row is what became known of a bar, and when. bqx.add_pair makes a
-- table of each type for each pair.
CREATE TYPE bqx.m1 AS (
    ts_utc timestamptz, known_at timestamptz,
    open float8, high float8, low float8, close float8, volume float8, spread float8
);
