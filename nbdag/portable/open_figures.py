"""pyplot's figures: which are open, under which numbers, which is current; and having it so after a restoration.

Code that runs again makes figures that the session has closed since, or under other numbers than it had: the next
``plt.plot`` would draw into one of them.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, Iterator, List, Optional

LOOKED_AT = 200  # members of a container of figures or axes


def pyplot_managers() -> Dict[int, Any]:
    """What pyplot keeps for each open figure, by number, the current one last; empty where it is not loaded."""
    shown: Any = getattr(sys.modules.get("matplotlib._pylab_helpers"), "Gcf", None)
    return {} if shown is None else dict(shown.figs)


def pyplot_state() -> Optional[List[int]]:
    """The numbers of pyplot's figures, the current one last."""
    return list(pyplot_managers()) if "matplotlib._pylab_helpers" in sys.modules else None


def numbers_by_name(namespace: Dict[str, Any]) -> Dict[str, int]:
    """Under which number the figure of each variable is open, 0 if pyplot knows it no longer. A variable counts that is
    a figure, part of one, or holds them; those that lead to several figures say nothing."""
    number_of = {id(manager): number for number, manager in pyplot_managers().items()}
    found: Dict[str, int] = {}
    for name, value in list(namespace.items()):
        figures = {id(figure): figure for figure in figures_in(value, 2)}
        if len(figures) == 1 and not name.startswith("_"):
            found[name] = number_of.get(id(manager_of(next(iter(figures.values())))), 0)
    return found


def figures_in(value: Any, deep: int) -> Iterator[Any]:
    """The figures that a value is, belongs to or holds. Runs no code but matplotlib's."""
    figures: Any = sys.modules.get("matplotlib.figure")
    artists: Any = sys.modules.get("matplotlib.artist")
    kind = type(value)
    if figures is None or artists is None:
        return
    if issubclass(kind, artists.Artist):
        figure = value if issubclass(kind, figures.Figure) else value.get_figure()
        if figure is not None:
            yield figure
    elif deep:
        members: Any = ()
        if kind in (list, tuple):
            members = value[:LOOKED_AT]
        elif kind is dict:
            members = list(value.values())[:LOOKED_AT]
        elif kind.__module__ == "numpy" and kind.__name__ == "ndarray" and value.dtype.hasobject:
            members = list(value.flat[:LOOKED_AT])
        elif not issubclass(kind, type) and kind.__module__ not in ("builtins", "types"):  # seaborn's grids
            try:
                members = list(object.__getattribute__(value, "__dict__").values())[:LOOKED_AT]
            except AttributeError:
                members = ()
        for member in members:
            yield from figures_in(member, deep - 1)


def manager_of(figure: Any) -> Any:
    """What pyplot keeps for a figure, None if it never knew it."""
    return getattr(getattr(figure, "canvas", None), "manager", None)


def settle_figures(
    namespace: Dict[str, Any], before: Dict[int, Any], numbers: List[int], names: Dict[str, int]
) -> Optional[str]:
    """Have those figures open that the session had open, under their numbers, and the current one current.

    ``before`` are those that were open before anything was restored: they stay as they are. ``numbers`` and ``names``
    are what :func:`pyplot_state` and :func:`numbers_by_name` said in the session. What cannot be here, in words.
    """
    shown: Any = getattr(sys.modules.get("matplotlib._pylab_helpers"), "Gcf", None)
    managers = pyplot_managers()
    others = {number for number, manager in before.items() if managers.get(number) is manager}
    came = {id(manager): manager for number, manager in managers.items() if number not in others}
    wanted: Dict[int, int] = {}
    for name, number in names.items():
        for figure in figures_in(namespace.get(name), 2):
            if id(manager_of(figure)) in came:
                wanted.setdefault(id(manager_of(figure)), number)
    free = [number for number in numbers if number not in wanted.values()]
    unnamed = [manager for key, manager in came.items() if key not in wanted]
    unnamed.sort(key=lambda manager: manager.num not in free)  # of code that ran again, those of its first figures
    for manager in unnamed:
        if free:
            number = manager.num if manager.num in free else free[0]
            free.remove(number)
            wanted[id(manager)] = number
    for key, manager in came.items():
        number = wanted.get(key, 0)
        if not number:
            shown.destroy(manager.num)
        elif number not in others:
            give_number(manager, number)
    for number in numbers:
        if shown is not None and number in shown.figs:
            shown.figs.move_to_end(number)
    return f"figures of pyplot that no variable held are not here: {', '.join(map(str, free))}" if free else None


def give_number(manager: Any, number: int) -> None:
    """Have pyplot know an open figure by ``number``; one that has it changes places with it."""
    import warnings

    figs: Any = sys.modules["matplotlib._pylab_helpers"].Gcf.figs
    if figs.get(manager.num) is not manager or manager.num == number:
        return
    changes = {number: manager}
    if number in figs:
        changes[manager.num] = figs[number]
    else:
        del figs[manager.num]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer releases want to be asked only, and then ask the manager
        for new, one in changes.items():
            figs[new] = one
            one.num = new
            try:
                one.canvas.figure.number = new
            except AttributeError:
                pass
