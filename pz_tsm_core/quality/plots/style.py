"""How all plots look, and how a figure becomes SVG that a page can hold.

Colours are those of Okabe & Ito (2008), told apart by all common kinds of colour vision, and
cividis (Nunez, Anderton & Renslow 2018). A colour never carries a meaning alone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock

import matplotlib.style
from markupsafe import escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

#: Inches. Text of 8 pt is legible on a screen as on paper when the page shows them so wide.
WIDTH = 7.2

#: What the page replaces by its own colours, so that one drawing is right in light and in dark.
INK, MUTED, GRID, PLATE = "#1f2329", "#5d6671", "#d7dce2", "#f3f5f8"
#: What is drawn upon a plate, which is light in the dark as well: cividis begins with dark blue.
ON_PLATE, FAINT_ON_PLATE = "#20242a", "#9ea6b0"
_THEME = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--grid)", PLATE: "var(--plate)"}

BLUE, VERMILLION, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#e69f00"
PURPLE, SKY_BLUE, YELLOW = "#cc79a7", "#56b4e9", "#f0e442"
COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY_BLUE, YELLOW)
DASHES = ("solid", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
HATCHES = ("", "////", "....", "\\\\\\\\")

#: More surveys than these are folded into one, or nobody could read them.
MOST_SURVEYS = 12

_RC = {
    "svg.fonttype": "none",  # text stays text: searchable, and in the font of the page
    "text.parse_math": False,  # a name with dollars is a name
    "font.sans-serif": ["DejaVu Sans"],  # by its widths the plots are laid out
    "font.size": 8.0, "axes.titlesize": 8.0, "axes.labelsize": 8.0,
    "xtick.labelsize": 7.5, "ytick.labelsize": 7.5, "legend.fontsize": 7.5,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": MUTED, "axes.titlecolor": INK,
    "xtick.color": MUTED, "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4, "ytick.minor.width": 0.4,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "grid.color": GRID, "grid.linewidth": 0.5, "hatch.linewidth": 0.6,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
    "legend.frameon": False, "lines.linewidth": 1.3, "axes.formatter.useoffset": False,
}
_LOCK = RLock()


@contextmanager
def house_style() -> Iterator[None]:
    """Draw as the house does, whatever the user's own settings; one thread at a time.

    matplotlib keeps its settings for the whole process; they are put back at the end.
    """
    with _LOCK, matplotlib.style.context(["default", _RC]):
        yield


def canvas(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of so many inches."""
    return Figure(figsize=(width, height), layout="constrained", dpi=144)


def thousands(axis: Axes, which: str = "y") -> None:
    """Write the numbers of an axis as people do: 12,000."""
    def told(number: float, _place: int) -> str:
        return f"{number:,.0f}" if float(number).is_integer() else f"{number:g}"

    getattr(axis, f"{which}axis").set_major_formatter(FuncFormatter(told))


def shortened(name: str, most: int = 26) -> str:
    """A name that has room beside a plot."""
    return name if len(name) <= most else name[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def counted(label: str, beyond: int) -> str:
    """The label of an axis that leaves out so many rows beyond its ends."""
    return f"{label}  ({beyond:,} beyond the axis)" if beyond else label


def colour_bar(figure: Figure, image: ScalarMappable, label: str, axes: Sequence[Axes]) -> None:
    """What the colours of an image stand for, beside its axes."""
    bar = figure.colorbar(image, ax=list(axes), label=label, pad=0.02, shrink=0.85)
    bar.outline.set_visible(False)
    if bar.solids:
        bar.solids.set_rasterized(True)  # else 256 rectangles
    low, high = image.get_clim()
    # Over less than two decades their whole powers would be one number or none.
    bar.ax.yaxis.set_major_locator(LogLocator(subs=(1.0,) if high > 100 * low else (1.0, 2.0, 5.0)))
    bar.ax.minorticks_off()
    thousands(bar.ax)


def density_map() -> Colormap:
    """Cividis, of which empty is nothing: the plate shows through."""
    colours = matplotlib.colormaps["cividis"](range(256))
    return ListedColormap(colours).with_extremes(bad=(0, 0, 0, 0), under=(0, 0, 0, 0))


def ranked(rows: dict[str, int], most: int = MOST_SURVEYS) -> tuple[list[str], list[str]]:
    """Labels by their rows, most first, and those of them that are one too many to be shown."""
    names = sorted(rows, key=lambda name: (-rows[name], name))
    return (names, []) if len(names) <= most else (names[: most - 1], names[most - 1:])


def as_svg(figure: Figure, name: str, described: str) -> str:
    """A figure as an `<svg>` element that stands in a page beside others.

    Equal figures give equal text: nothing in it is drawn by lot, and it holds no date.

    Parameters
    ----------
    name : makes the ids inside the drawing its own
    described : what the drawing shows, for those who do not see it
    """
    text = io.StringIO()
    with house_style(), matplotlib.rc_context({"svg.hashsalt": name}):
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        FigureCanvasSVG(figure).print_svg(text, metadata=metadata)  # type: ignore[no-untyped-call]
    return _inline(text.getvalue(), name, described)


def _inline(svg: str, name: str, described: str) -> str:
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)  # that of the page
    svg = re.sub(r'(<image [^>]*?) id="[^"]*"', r"\1", svg)  # equal images would share it
    svg = re.sub(r'\b(id="|xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, variable in _THEME.items():
        svg = svg.replace(colour, variable)
    head = f'<svg role="img" aria-label="{escape(described)}" class="plot"'
    return re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"',
                  lambda found: found[1].replace("<svg", head), svg, count=1)


def legend_columns(labels: Sequence[str]) -> int:
    """Columns of a legend below a plot, so that no line of it is wider than the plot."""
    widest = max(map(len, labels), default=1)
    return max(1, min(len(labels), 96 // (widest + 8)))
