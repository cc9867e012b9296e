"""Rows that are not in memory: sources that are opened for each reading, and streams that can be read once.

May import: what is below it in `frames`; `engines`; `errors`. From bottom to top: batch_source, row_digest,
shared_dictionaries, rows_ahead, readings; beside them files, polars_query, queries, iterables < kinds.
"""
