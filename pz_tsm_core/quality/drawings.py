"""The plots of a finished page, taken out of it: pictures that stand alone, drawn but once."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from html import unescape

_FIGURE = re.compile(r"<figure>\s*(<svg .*?</svg>)\s*<figcaption>(.*?)</figcaption>", re.DOTALL)
_NAME = re.compile(r'<g id="([\w-]+)-figure_1">')
_LABEL = re.compile(r'aria-label="([^"]*)"')
_COLOUR = re.compile(r"--(\w+): (#[0-9a-f]{6})")


@dataclass(frozen=True)
class Drawing:
    """A plot as an image of its own.

    Parameters
    ----------
    name : such as `by-survey`
    svg : a document, with a ground of its own and no need of the page
    described : what it shows, for those who do not see it
    caption : how to read it
    """

    name: str
    svg: str
    described: str
    caption: str

    @property
    def address(self) -> str:
        """The picture itself as a `data:` address, which asks no server."""
        return f"data:image/svg+xml;base64,{b64encode(self.svg.encode()).decode()}"


def drawings(page: str) -> dict[str, Drawing]:
    """All plots of a page that `quality.page.render` made, by name, in its order."""
    light, _, _ = page.partition("@media")  # the colours of the dark come after
    colours = dict(_COLOUR.findall(light))
    found = (_drawing(svg, caption, colours) for svg, caption in _FIGURE.findall(page))
    return {drawing.name: drawing for drawing in found}


def _drawing(svg: str, caption: str, colours: dict[str, str]) -> Drawing:
    name, label = _NAME.search(svg), _LABEL.search(svg)
    if not (name and label):
        raise ValueError("a figure without a name or a description")
    alone = re.sub(r"var\(--(\w+)\)", lambda found: colours[found[1]], svg)
    ground = f'<svg style="background:{colours["page"]};font-family:sans-serif" '
    return Drawing(name[1], alone.replace("<svg ", ground, 1), unescape(label[1]),
                   unescape(caption))
