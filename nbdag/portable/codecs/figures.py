"""Figures of pyplot keep their numbers: ``plt.figure(7)`` makes figure 7 the current one, as before."""

from __future__ import annotations

import sys
from typing import Any

from nbdag.portable.encoder import GroupEncoder


def choose_figure_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Figures, once matplotlib is loaded."""
    figures: Any = sys.modules.get("matplotlib.figure")
    if figures is None or not issubclass(kind, getattr(figures, "Figure", ())):
        return None
    return _reduce_figure


def _reduce_figure(figure: Any, encoder: GroupEncoder) -> Any:
    """As matplotlib does; it would count the figures anew as they come."""
    reduction = figure.__reduce_ex__(4)
    number = getattr(getattr(figure.canvas, "manager", None), "num", None)
    shown: Any = getattr(sys.modules.get("matplotlib._pylab_helpers"), "Gcf", None)
    if shown is not None and type(number) is int and number in shown.figs:
        encoder.finish_later("figure_number", figure, number)
    return reduction
