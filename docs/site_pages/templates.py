"""The theme's templates, with the last touch to what they give; apart, as Sphinx need not be there for the rest."""

from __future__ import annotations

from typing import Any

from sphinx.jinja2glue import BuiltinTemplateLoader

from site_pages import legible


class Templates(BuiltinTemplateLoader):
    """The theme's templates, legible."""

    def render(self, template: str, context: dict[str, Any]) -> str:  # type: ignore[override]
        """Return a page."""
        return legible.page(super().render(template, context))
