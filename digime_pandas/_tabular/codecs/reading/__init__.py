"""What the reading halves of codecs share: files of others are damaged, mislabelled, or odd in many ways.

May import: `errors`, ``codec``, and what is below `codecs` in `_tabular`. Files from bottom to top: ``signatures``,
``column_names``, ``row_pieces``, ``csv_numbers``, ``csv_rows``, ``large/``, ``json_keys``, ``json_rows``,
``json_block``, ``json_columns``, ``json_elements``, ``json_reader``.
"""
