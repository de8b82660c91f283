"""Indexing: a folder, a prefix or a Parquet index in, an index snapshot out."""
