"""What users call: connect, authorize, write, preview and read.

May import ``_service``, ``_tabular``, ``data`` and ``errors``. Files from bottom to top: ``progress``,
``tables/``, ``arguments``, ``write_plan``, ``library/``, ``journal/``, ``authorizations/``, ``client``, ``preview``,
``connect``, ``write``, ``each/``, ``dataset/``, ``partitions/``, ``read``, ``consent/``, ``write_each``, ``demo``,
``accessor``.
"""
