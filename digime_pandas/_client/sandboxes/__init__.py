"""Sandboxes as clients see them: whether the one that they use is there still.

May import ``_service`` and ``errors``. Files from bottom to top: ``presence``.
"""
