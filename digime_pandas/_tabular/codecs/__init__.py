"""The writing and the reading of each format.

May import: `errors` and what is below it in `_tabular`. Files from bottom to top: ``codec``, ``reading/``,
``text_slices``, ``json_array``, ``json``, ``csv``, ``writing/``, ``parquet_footer``, ``parquet_pages``,
``parquet_metadata``, ``parquet_reader``, ``parquet``, ``registry``.
"""
