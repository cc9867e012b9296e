"""What the writing halves of codecs find out from the first rows.

May import: `errors` only. Files from bottom to top: ``parquet_settings``.
"""
