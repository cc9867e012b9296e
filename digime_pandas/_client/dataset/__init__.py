"""Frames that are kept as many files: how the files are named and listed, and how they are read as one frame.

May import ``_service``, ``_tabular`` and ``errors``. Files from bottom to top: ``manifest``, ``joining``, ``contents``,
``reading``, ``lazy_read``.
"""
