"""How a call that cannot be made is answered: which argument, attribute or call was meant.

May import ``errors``. Files from bottom to top: ``foreign_names``, ``explained``, ``attributes``.
"""
