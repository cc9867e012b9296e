"""What the reading halves of codecs share: files of others are damaged, mislabelled, or odd in many ways.

May import: engines of `_tabular`. Files from bottom to top: ``signatures``, ``column_names``, ``row_pieces``,
``csv_rows``, ``json_rows``.
"""
