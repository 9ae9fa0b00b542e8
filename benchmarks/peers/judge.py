"""What a session holds, told by code that shares nothing with any of the systems it judges: no pickle, no nbdag.

Sent as text into the kernel whose session is described, before a system saves it and after it restored it. Two
descriptions are compared by ``verdict``. A value is described by type and content, as deep as 50 levels and 300,000
objects; a figure by the picture it gives, what else is matplotlib's by its type; what has no content that can be read
(locks, generators) by its type, and counts as "type only". Besides, the pairs of variables that share a mutable object
or memory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

# Runs in the kernel. Prints nothing: the driver asks for the value of `nbdag_bench_describe()` as a user expression.
SOURCE = r"""
def nbdag_bench_describe():
    import hashlib, json, sys, types
    shell = get_ipython()
    hidden = set(shell.user_ns_hidden) | {"nbdag_bench_describe", "In", "Out", "_kishu", "exit", "quit", "get_ipython", "open"}
    names = sorted(n for n in shell.user_ns if not n.startswith("_") and (n not in hidden or n in wanted))
    np, pd, sparse = sys.modules.get("numpy"), sys.modules.get("pandas"), sys.modules.get("scipy.sparse")
    plots = sys.modules.get("matplotlib.figure"), sys.modules.get("matplotlib.artist")
    artists = (plots[0].Figure, plots[1].Artist) if all(plots) else ()
    simple = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented))
    budget = [0]

    def short(*parts):
        digest = hashlib.blake2b(digest_size=8)
        for part in parts:
            digest.update(part if isinstance(part, bytes) else str(part).encode("utf-8", "backslashreplace"))
            digest.update(b"\0")
        return digest.hexdigest()

    def of(value, depth, walk):
        kind = type(value)
        label = kind.__module__ + "." + kind.__qualname__
        if kind in simple:
            return short(label, repr(value))
        budget[0] += 1
        if depth > 50 or budget[0] > 300_000:
            walk["vague"] = True
            return short(label)
        if isinstance(value, types.ModuleType):
            return short("module", value.__name__)
        if isinstance(value, type):
            return short("class", value.__qualname__, *(sorted(k for k in vars(value) if not k.startswith("__"))
                         if value.__module__ == "__main__" else [value.__module__]))
        if isinstance(value, types.BuiltinFunctionType):
            return short("builtin", value.__qualname__)
        # Which immutable values are one object is nothing a session can rely on: only of others is it told.
        mutable = kind not in (tuple, frozenset) and not (pd is not None and isinstance(value, pd.Index))
        mutable = mutable and not (np is not None and isinstance(value, (np.generic, np.dtype)))
        if mutable:
            if id(value) in walk["seen"]:
                return short("again", walk["seen"][id(value)])
            walk["seen"][id(value)] = len(walk["seen"])
        walk["alive"].append(value)
        deeper = lambda inner: of(inner, depth + 1, walk)
        if isinstance(value, types.FunctionType):
            if value.__module__ != "__main__" and value.__module__ is not None:
                return short("function", value.__module__, value.__qualname__)
            cells = [deeper(c.cell_contents) if c != types.CellType() else "empty" for c in value.__closure__ or ()]
            return short("function", value.__qualname__, value.__code__.co_code, value.__code__.co_names,
                         deeper(value.__defaults__), deeper(value.__dict__), *cells)
        if isinstance(value, types.MethodType):
            return short("method", value.__name__, deeper(value.__self__))
        if mutable:
            walk["mutable"].add(id(value))
        if np is not None and isinstance(value, np.ndarray):
            if value.size:
                base = value
                while getattr(base, "base", None) is not None:
                    base = base.base
                walk["mutable"].add(id(base))
                walk["arrays"].append(value)
            extra = [deeper(np.ma.getmaskarray(value))] if isinstance(value, np.ma.MaskedArray) else []
            content = [deeper(v) for v in value.ravel().tolist()] if value.dtype.hasobject else [np.ascontiguousarray(value).tobytes()]
            return short(label, str(value.dtype), value.shape, value.flags.writeable, *content, *extra)
        if np is not None and isinstance(value, (np.generic, np.dtype)):
            return short(label, repr(value))
        if np is not None and isinstance(value, (np.random.Generator, np.random.RandomState)):
            state = value.bit_generator.state if hasattr(value, "bit_generator") else value.get_state(legacy=False)
            return short(label, deeper(state))
        if pd is not None and isinstance(value, pd.DataFrame):
            parts = [deeper(value.columns), deeper(value.index), deeper(value.attrs)]
            for i in range(value.shape[1]):
                column = value.iloc[:, i]
                parts += [str(column.dtype), plain(column, deeper)]
            return short(label, value.shape, *parts)
        if pd is not None and isinstance(value, pd.MultiIndex):
            return short(label, *(deeper(v) for v in value.tolist()), deeper(list(value.names)))
        if pd is not None and isinstance(value, (pd.Series, pd.Index)):
            index = deeper(value.index) if isinstance(value, pd.Series) else str(getattr(value, "freq", None))
            return short(label, str(value.dtype), deeper(value.name), index, plain(value, deeper))
        if sparse is not None and sparse.issparse(value):
            return short(label, value.shape, deeper(value.tocoo().toarray()))
        if isinstance(value, artists):
            # A figure is what it looks like; an axes, which one of its figure.
            figure = value if isinstance(value, artists[0]) else getattr(value, "figure", None)
            if figure is None or not isinstance(figure, artists[0]):
                return short(label)
            place = figure.axes.index(value) if value in figure.axes else ""
            return short(label, place, "" if figure is not value and place == "" else picture(figure))
        if label.startswith("matplotlib.") and not isinstance(value, (list, tuple)):
            walk["vague"] = True  # counters of callbacks and caches, which drawing alone moves
            return short(label)
        if label == "nengo.utils.stdlib.WeakKeyIDDictionary":
            # Its tables are by address, which no two processes have in common: what it says that it maps counts.
            return short(label, *(deeper(k) + deeper(v) for k, v in value.items()))
        if isinstance(value, dict):
            return short(label, *(deeper(k) + deeper(v) for k, v in list(value.items())), inside(value, deeper))
        if isinstance(value, (list, tuple)) or kind.__name__ == "deque":
            return short(label, *(deeper(v) for v in list(value)), inside(value, deeper))
        if isinstance(value, (set, frozenset)):
            # Each member by itself: the order of a set is no part of it.
            alone = sorted(of(v, depth + 1, dict(walk, seen={})) for v in value)
            return short(label, *alone)
        state = inside(value, deeper)
        if not state:
            text = object.__repr__ is not kind.__repr__ and repr(value)
            if not text or " at 0x" in text:
                walk["vague"] = True
                return short(label)
            return short(label, text)
        return short(label, state)

    pictures = {}

    def picture(figure):
        if id(figure) not in pictures:
            import io
            file = io.BytesIO()
            figure.savefig(file, format="raw", dpi=40)
            pictures[id(figure)] = short(file.getvalue())
        return pictures[id(figure)]

    def plain(column, deeper):
        # What a column holds, and not how: pandas makes and keeps arrays of its own, with flags of their own.
        array = column.to_numpy()
        return short(*map(deeper, column.tolist())) if array.dtype.hasobject else short(array.tobytes())

    def has_parameters_of_nengo(value):
        return any(c.__module__ == "nengo.params" and c.__name__ == "FrozenObject" for c in type(value).__mro__)

    def inside(value, deeper):
        found = []
        own = getattr(value, "__dict__", None)
        if isinstance(own, dict):
            if has_parameters_of_nengo(value):
                # The parameters are the class's, each with a table of all instances of it: the values here count.
                own = {**own, "_paramdict": {name: getattr(value, name) for name in own["_paramdict"]}}
            found += [k + deeper(v) for k, v in sorted(own.items(), key=lambda item: str(item[0])) if isinstance(k, str)]
        for cls in type(value).__mro__:
            slots = cls.__dict__.get("__slots__", ())
            for slot in (slots,) if isinstance(slots, str) else slots:
                if slot not in ("__dict__", "__weakref__") and hasattr(value, slot):
                    found.append(slot + deeper(getattr(value, slot)))
        return short(*found) if found else ""

    told, walks = {}, {}
    for name in names:
        budget[0] = 0
        walk = walks[name] = {"seen": {}, "alive": [], "mutable": set(), "arrays": [], "vague": False}
        try:
            told[name] = [of(shell.user_ns[name], 0, walk), walk["vague"]]
        except Exception as fault:
            told[name] = ["cannot be described: " + type(fault).__name__, True]
    pairs = []
    for i, one in enumerate(names):
        for other in names[i + 1:]:
            a, b = walks[one], walks[other]
            joined = bool(a["mutable"] & b["mutable"]) or (np is not None and any(
                np.may_share_memory(x, y) for x in a["arrays"][:20] for y in b["arrays"][:20]))
            if joined:
                pairs.append([one, other])
    return json.dumps({"values": told, "pairs": pairs})
"""


def asking(wanted: list[str]) -> str:
    """The code that defines the question in a kernel; ``wanted`` are names told though IPython hides them."""
    return SOURCE.replace("n in wanted", f"n in {set(wanted) | {''}!r}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a restored session compares with the one that was saved."""

    names: int
    right: int
    missing: tuple[str, ...]
    wrong: tuple[str, ...]
    unshared: int  # pairs that shared an object or memory, and no longer do (or do now)
    vague: int  # variables judged by their type only

    @property
    def correct(self) -> bool:
        """Whether nothing is missing, other than it was, or shared otherwise."""
        return not (self.missing or self.wrong or self.unshared)


def changed_names(before: str, after: str) -> list[str]:
    """The variables whose description is another one in the second answer."""
    old, new = json.loads(before)["values"], json.loads(after)["values"]
    return sorted(name for name in old if name not in new or new[name][0] != old[name][0])


def verdict(before: str, after: str, restored: str) -> Verdict:
    """Compare answers of ``nbdag_bench_describe``: before saving, after it, and of the restored session.

    A class may change an object while it is pickled (statsmodels' results drop the optimiser's callback, in the live
    session too): what the object is after that counts as right as well, for every system.
    """
    first, second, third = json.loads(before), json.loads(after), json.loads(restored)
    values: dict[str, Any] = first["values"]
    missing = tuple(name for name in values if name not in third["values"])
    wrong = []
    for name in values:
        right = {said["values"][name][0] for said in (first, second) if name in said["values"]}
        if name not in missing and third["values"][name][0] not in right:
            wrong.append(name)
    kept = {name for name in values if name not in missing}
    pairs = {tuple(pair) for pair in first["pairs"] if kept.issuperset(pair)}
    now = {tuple(pair) for pair in third["pairs"] if set(values).issuperset(pair)}
    vague = sum(bool(told[1]) for told in values.values())
    return Verdict(len(values), len(kept) - len(wrong), missing, tuple(wrong), len(pairs ^ now), vague)
