"""The record of writes: an append-only SQLite file, which is loaded where a journal is used and nowhere else.

Files from bottom to top: ``records``, ``group_commit``, ``database``, ``write_journal``, ``recording``.
"""
