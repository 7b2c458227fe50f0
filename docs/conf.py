"""Settings of the documentation: sphinx with MyST and furo. Mathematics is MathML in STIX Two Math (SIL OFL 1.1), all
other fonts are the reader's own.

Pages that are made from the code are written into ``docs/generated`` ahead of a build (:mod:`site_pages.site`). Nothing
on a page is fetched when it is read. With PICTURES=no in the environment no picture is drawn: the check of a change.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import ziamath
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.writers.html5 import HTML5Translator

from neuroep import __version__
from site_pages import legible, made, markdown, mathematics, site

project, author, copyright = "neuroep", "the authors of neuroep", "the authors of neuroep, MIT licence"
version = release = __version__
language = "en"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["generated/twins.md", "generated/made.md", "generated/tests.md"]
smartquotes = False
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence", "attrs_inline"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
suppress_warnings = ["misc.highlighting_failure"]
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_use_rtype = False
napoleon_use_param = False
html_theme = "furo"
template_bridge = "site_pages.templates.Templates"
html_title = f"neuroep {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_domain_indices = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"top_of_page_buttons": []}


def _inline(writer: HTML5Translator, node: nodes.math) -> None:
    writer.body.append(mathematics.mathml(node.astext()))
    raise nodes.SkipNode


def _block(writer: HTML5Translator, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="math">{mathematics.block(node.astext())}</div>\n')
    raise nodes.SkipNode


def _generate(_: Sphinx) -> None:
    site.write(HERE / "generated", draw=os.environ.get("PICTURES") != "no")


def _finish(app: Sphinx, _: Exception | None) -> None:
    """Lay the font of mathematics beside the pages; refuse pages that would fetch anything."""
    static = Path(app.outdir) / "_static"
    if static.is_dir():
        shutil.copy(Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf", static)
    if found := site.fetched(Path(app.outdir)):
        raise SphinxError(f"a page fetches something when it is read: {found[0]}")


def _literal(_app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Show indented blocks of a docstring as they are drawn: equations, and code."""
    lines[:] = markdown.literal(lines)


def _dated(app: Sphinx, name: str, source: list[str]) -> None:
    """Hold the numbers of tables together, and say at the end of a page when its figures were made."""
    source[0] = markdown.whole(source[0])
    if told := made.footer(f"{name}.md"):
        source[0] += told
        app.env.note_dependency(str(HERE / "studies.json"))


def _fit(app: Sphinx, tree: nodes.document, _: str) -> None:
    """Mark pictures of one plot: on a narrow screen they fit it, while wider ones scroll."""
    for picture in tree.findall(nodes.image):
        path = Path(app.srcdir) / picture["uri"]
        if path.suffix == ".png" and legible.width(path.read_bytes()) <= legible.FITS:
            picture["classes"].append("fit")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages made from the code, and render mathematics while building."""
    app.connect("builder-inited", _generate)
    app.connect("source-read", _dated)
    app.connect("doctree-resolved", _fit)
    app.connect("build-finished", _finish)
    app.connect("autodoc-process-docstring", _literal, priority=400)
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
