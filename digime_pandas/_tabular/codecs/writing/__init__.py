"""What the writing halves of codecs find out from the first rows, and where they write.

May import: `errors` only. Files from bottom to top: ``file_memory``, ``parquet_settings``.
"""
