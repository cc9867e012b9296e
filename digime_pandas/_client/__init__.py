"""What users call: connect, authorize, write, preview and read.

May import ``_service``, ``_tabular``, ``data`` and ``errors``. Files from bottom to top: ``progress/``, ``imports/``,
``tables/``, ``options``, ``arguments``, ``write_plan``, ``library/``, ``journal/``, ``display/``,
``authorizations/``, ``client``, ``preview``, ``sandboxes/``, ``connect``, ``write``, ``each/``, ``dataset/``,
``partitions/``, ``read``, ``consent/``, ``write_each``, ``demo``, ``command_line/``, ``accessor``.
"""
