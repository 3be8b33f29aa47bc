"""How every figure looks: colours, type, sizes, and how it becomes SVG or PNG.

Colours are those of Okabe and Ito, which people with any colour vision tell apart.
Figures are objects of their own; pyplot's global state is never touched.
"""

import functools
import io
import re
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from matplotlib.typing import RcKeyType

P = ParamSpec("P")
F = TypeVar("F", bound=Figure | None)

INK = "#1b1f24"
MUTED = "#6b7480"
FAINT = "#c9ced6"
BLUE = "#0072b2"
VERMILLION = "#d55e00"
GREEN = "#009e73"
PURPLE = "#b05c93"
SKY = "#56b4e9"
ORANGE = "#e69f00"
CYCLE = (BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE)

# What a page may replace by its own light or dark colours.
PAGE_COLOURS = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    FAINT: "var(--faint)",
    BLUE: "var(--blue)",
}

RULES: dict[RcKeyType, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "grid.alpha": 0.55,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.7,
    "figure.facecolor": "white",
    "svg.hashsalt": "nas",
    "svg.fonttype": "path",
}


# Between ticks, times a power of ten.
STEPS = (1, 2, 2.5, 5, 10)


def styled(draw: Callable[P, F]) -> Callable[P, F]:
    """Draw under these rules, and leave matplotlib's as they were."""

    @functools.wraps(draw)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> F:
        with matplotlib.rc_context(RULES):
            return draw(*args, **kwargs)

    return wrapped


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure.

    Args:
      width: in inches; 7.2 is the width of a page.
      height: in inches.

    Returns:
      The figure, laid out so that nothing overlaps.
    """
    return Figure(figsize=(width, height), layout="constrained")


def write_figure(figure: Figure, path: str) -> None:
    """Write an SVG or PNG file, by its ending; the same figure gives the same bytes."""
    data: str | bytes = to_png(figure) if path.endswith(".png") else to_svg(figure)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def to_png(figure: Figure, dpi: int = 160) -> bytes:
    """Draw as PNG on white."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(RULES):
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def to_svg(figure: Figure) -> str:
    """Draw as an SVG document on white."""
    return _svg(figure, transparent=False)


def to_inline_svg(figure: Figure, name: str, title: str) -> str:
    """Draw as an SVG element for a page: transparent, in the page's colours.

    Args:
      figure: what to draw.
      name: of the figure, unique in the page; letters, digits and dashes.
      title: what people hear who do not see it; plain text.

    Returns:
      One `<svg>` element.
    """
    from html import escape

    text = _svg(figure, transparent=True)
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", text)
    for colour, replacement in PAGE_COLOURS.items():
        text = text.replace(colour, replacement)
    # Several figures share a page, and an id may occur once.
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text).replace("url(#", f"url(#{name}-")
    label = escape(title, quote=True)
    opening = f'<svg role="img" aria-label="{label}" '
    return opening + text[len("<svg") :].lstrip().rstrip()


def _svg(figure: Figure, transparent: bool) -> str:
    buffer = io.StringIO()
    metadata = {"Date": None, "Creator": None}
    with matplotlib.rc_context(RULES):
        figure.savefig(
            buffer, format="svg", transparent=transparent, metadata=metadata, dpi=160
        )
    return buffer.getvalue()


def short(value: float, digits: int = 3) -> str:
    """Write a count for people: 1234567 as `1.23M`."""
    for factor, suffix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.{digits}g}{suffix}"
    return f"{value:.{digits}g}"


def count_axis(axes: Axes, values: Any) -> None:
    """Set the horizontal axis for counts: logarithmic beyond a decade.

    Args:
      axes: whose axis.
      values: every count that is shown; numbers above 0 decide.
    """
    positive = [float(v) for v in values if v > 0]
    axis = axes.xaxis
    if positive and max(positive) > 10 * min(positive):
        axes.set_xscale("log")
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(6, steps=STEPS))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def percent_axis(axes: Axes) -> None:
    """Show fractions of the vertical axis in percent."""
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{round(100 * value, 6):g}")
    )
