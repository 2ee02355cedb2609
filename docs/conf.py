"""Sphinx settings: `python -m sphinx -W docs docs/_build/html`."""

import os
import warnings

import sklearn_simvae

project = "sklearn-simvae"
author = "the sklearn-simvae developers"
project_copyright = f"2026, {author}"
release = version = sklearn_simvae.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
if "READTHEDOCS" in os.environ:
    # Links to the pages of others need a network, which a build elsewhere may lack.
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3/", None),
        "numpy": ("https://numpy.org/doc/stable/", None),
        "sklearn": ("https://scikit-learn.org/stable/", None),
        "skorch": ("https://skorch.readthedocs.io/en/stable/", None),
        "torch": ("https://pytorch.org/docs/stable/", None),
    }
exclude_patterns = ["_build", "tables"]
templates_path = ["_templates"]
default_role = "py:obj"

# A term such as `n_samples` is set as code where it names nothing that is documented.
nitpicky = False
autosummary_generate = True
autodoc_typehints = "none"
# Methods have pages' sections of their own, from the class template.
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "sklearn-simvae"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": [], "install": [], "tutorial": [], "changelog": []}
html_show_sourcelink = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    # The images of Fashion-MNIST and the glyphs are not everywhere, and the former take too long.
    "filename_pattern": "/plot_(?!fashion_mnist|glyphs)",
    "within_subsection_order": "ExampleTitleSortKey",
    "show_memory": False,
    "download_all_examples": False,
    "abort_on_example_error": True,
    "min_reported_time": 5,
    "remove_config_comments": True,
    "doc_module": ("sklearn_simvae",),
    "backreferences_dir": "api/backreferences",
    "reference_url": {"sklearn_simvae": None},
}

# An example draws where there is no screen.
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
