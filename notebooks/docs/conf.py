"""The documentation site: what Sphinx builds from this folder, the notebooks above it and the docstrings.

``python -m sphinx -W --keep-going -c notebooks/docs notebooks OUT`` builds it, warnings are errors, and nothing is
downloaded. The sources are the folder of the notebooks, so that links between pages and notebooks are the same here and
where the files are shown as they are.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import digime_pandas  # noqa: E402
from tests.whole.documents.saved_notebooks import kernel_environment  # noqa: E402

project = "digime-pandas"
author = "The digime-pandas developers"
version = release = digime_pandas.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "site_pages",
]
root_doc = "docs/index"
exclude_patterns = ["**/.ipynb_checkpoints", "docs/_*"]
needs_sphinx = "8.1"
smartquotes_action = "D"  # dashes alone: quotes in tables are characters of files

# What docstrings name in backquotes is a link where the site has a place for it.
default_role = "py:obj"
nitpicky = True
# Of these, what the package says to be in its public modules has to be there; names of arguments are no links.
nitpick_ignore_regex = [
    (r".*", r"(?!digime_pandas\.).*"),
    (r".*", r"digime_pandas\.(\w+\.)*_.*"),
    (r".*", r"digime_pandas\.errors\.\w+\..*"),
]

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_rtype = False

toc_object_entries_show_parents = "hide"

myst_heading_anchors = 4

# The kernels are the interpreter that builds the site, and know that nobody is there to click.
_kernels = tempfile.TemporaryDirectory(prefix="digime-docs-")
os.environ |= kernel_environment(Path(_kernels.name))
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
# Widgets are shown as the text that is beside them: what draws them would come from another host.
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
nb_mime_priority_overrides = [("*", "application/vnd.jupyter.widget-view+json", None)]

html_theme = "pydata_sphinx_theme"
html_title = f"digime-pandas {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_root"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"docs/index": []}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
