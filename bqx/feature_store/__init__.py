"""Published features: Parquet files a table, pair and month, in a folder or object store."""
