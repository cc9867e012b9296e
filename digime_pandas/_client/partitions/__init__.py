"""Frames that other processes compute: their parts are granted here, and sent where they are.

May import ``_service``, ``_tabular`` and ``errors``. Files from bottom to top: ``prepared``, ``deliveries``,
``sending``, ``result``, ``local``, ``cluster``, ``delayed``, ``dataset_write``, ``frames``, ``persons``,
``each_write``.
"""
