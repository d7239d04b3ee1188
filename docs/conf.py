import sys
import warnings
from importlib.metadata import version as installed_version
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent / "ext"))

# The type hint extension calls what Sphinx 10 will remove; pyproject.toml stays below that version.
warnings.filterwarnings("ignore", message="'sphinx_autodoc_typehints")

project = "lift-theory"
author = "The lift-theory authors"
version = release = installed_version("lift-theory")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_autodoc_typehints",
    "sphinx_proof",
    "sphinxcontrib.bibtex",
    "sphinx-mathjax-offline",
    "api_coverage",
    "gallery",
    "layers",
    "narrative",
    "published_results",
    "theorem_pages",
]

exclude_patterns = [
    "_build",
    "ext",
    "generated/_*",
    "gallery/generated/_*",
    "theorems/generated/_*",
    "results/generated/_*",
]  # the last are included elsewhere
nitpicky = True
suppress_warnings = ["config.cache"]  # the type hint formatter below cannot be pickled
smartquotes_action = "D"  # dashes only: in A'A and g' the mark is a prime
default_role = "literal"  # `name` in a docstring is code
numfig = False
html_theme = "furo"
html_title = "lift-theory"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_search_summary = False  # it would be fetched from the pages, which browsers refuse without a server
html_show_sphinx = False
html_show_copyright = False

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
mathjax3_config = {"options": {"enableMenu": False}}  # the menu would look for scripts on the network

bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"

autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
always_use_bars_union = True
typehints_document_rtype = False


def typehints_formatter(annotation: object, *_: object) -> str | None:
    """Show array annotations with their shape, as they are written."""
    if type(annotation).__module__.startswith("jaxtyping"):
        return f"``{annotation.__name__}``"  # type: ignore[attr-defined]
    return None


def plain_description(
    _app: Sphinx, what: str, _name: str, _object: object, _: object, lines: list[str]
) -> None:
    """Keep napoleon from taking what stands before a colon in the description of an attribute for its type."""
    if what in ("attribute", "data", "property") and lines:
        lines[:0] = ["..", ""]  # an empty comment


def setup(app: Sphinx) -> None:
    """Register the above, ahead of napoleon."""
    app.connect("autodoc-process-docstring", plain_description, priority=400)


# No inventories are fetched, so that the site builds offline: names of other libraries are not links.
nitpick_ignore_regex = [
    ("py:class", r"lift_theory\.optimize\..*"),  # shown under its public name, or internal
    (
        "py:.*",
        r"(numpy|np|jax|jaxlib|jaxtyping|xarray|xr|scipy|matplotlib|torch|rich|collections|pathlib|os|typing)\b.*",
    ),
    (
        "py:.*",
        r"(ndarray|bool|bytes|dict|float|int|list|object|str|tuple|None|Ellipsis|ValueError|TypeError|ImportError)",
    ),
]
