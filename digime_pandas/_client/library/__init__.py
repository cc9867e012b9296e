"""The files of a person's library: how they are listed, and how one is read.

May import ``_service``, ``_tabular`` and ``errors``. Files from bottom to top: ``limits``,
``digest``, ``target_file``, ``file``, ``file_list``, ``query``, ``cache``, ``session``, ``listing``.
"""
