"""The journal as users see it: its file, and its table.

Files from bottom to top: ``table``, ``card``, ``journal``.
"""
