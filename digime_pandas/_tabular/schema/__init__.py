"""What a file cannot say about the frame it was made from, as JSON and back.

May import: frames, text_values, formats, arrow and columns of `_tabular`; errors. Files from bottom to top:
``json_values``, ``specs``, ``labels``, ``stored``, ``known``, ``making``, ``fitting``.
"""
