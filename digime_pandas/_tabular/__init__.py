"""How a frame becomes the bytes of a file, and back.

May import: `errors` only. Files from bottom to top: ``formats``, ``columns``, ``arrow``, ``engines/``, ``text_values``,
``rules/``, ``fidelity_rules``, ``fidelity``, ``inspection``, ``frames/``, ``schema/``, ``codecs/``, ``serialize``,
``part_files``, ``rebuild``, ``parse``.
"""
