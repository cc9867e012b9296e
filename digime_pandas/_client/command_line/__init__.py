"""The commands of the command line.

May import ``_service``, ``_tabular`` and ``errors``. Files from bottom to top: ``output``, ``failures``, ``options``,
``service``, ``sources``, ``pasting`` < ``trial``, ``consents``, ``library``, ``writing`` < ``each``.
"""
