"""How a frame becomes the bytes of a file, and back.

May import: `errors` only. Files from bottom to top: ``formats``, ``account_keys``, ``columns``, ``arrow``,
``engines/``, ``reading/``, ``text_values``, ``rules/``, ``fidelity_rules``, ``fidelity``, ``inspection``, ``frames/``,
``schema/``, ``codecs/``, ``serialize``, ``parts/``, ``rebuild``, ``parse``.
"""
