"""Which names of an IPython namespace are the session's: the user's own, underscores included, nothing of IPython's.

IPython puts names of its own into the same dictionary (``In``, ``_``, ``exit`` ...). They are told apart by identity:
a user who rebinds ``exit`` or ``_`` owns it from then on.
"""

from __future__ import annotations

import builtins
import itertools
import types
from typing import Any, Dict, FrozenSet, List, Set, Tuple

# The agent's functions look names up in a private copy of the builtins: they go on working in a session that
# replaces builtins.len or builtins.print. (Functions bind their builtins when they are defined, from this name.)
__builtins__ = dict(vars(builtins))  # type: ignore[assignment]


def word_set(words: str) -> FrozenSet[str]:
    """The words of a text."""
    return frozenset(words.split())


def is_numbered_history(name: str) -> bool:
    """Whether it is a name such as ``_12`` or ``_i12``."""
    digits = name[2:] if name.startswith("_i") else name[1:]
    return name.startswith("_") and digits.isascii() and digits.isdigit()


KERNEL_NAMES: FrozenSet[str] = word_set(
    "In Out _ __ ___ _i _ii _iii _dh _oh _ih _exit_code exit quit get_ipython open __session__ __vsc_ipynb_file__ "
    "_VSCODE_hashedPath __file__ __name__ __doc__ __package__ __loader__ __spec__ __builtin__ __builtins__ "
    "__warningregistry__ __annotations__ __annotate__ __conditional_annotations__ __cached__ __nonzero__"
)
# What IPython may have put under a name that a user could take too; then the value decides.
CONTESTED: FrozenSet[str] = frozenset(["exit", "quit", "get_ipython", "open", "In", "Out", "_", "__", "___"])

ONE_VALUE = frozenset(["exit", "quit", "get_ipython", "In", "Out"])  # of those: IPython makes it once


class SessionNames:
    """Tells the user's names from IPython's, again and again: what was decided for good is remembered.

    ``In [n]`` leaves ``_in`` and ``_n`` behind, so a session of a thousand cells has a thousand names of IPython's.
    """

    def __init__(self, shell: Any, namespace: Dict[str, Any]) -> None:
        self.shell = shell
        self.namespace = namespace
        self.classified: Set[str] = set()  # names of user_ns_hidden that were looked at
        self.never: Set[str] = set(KERNEL_NAMES - CONTESTED)  # names that are IPython's whatever their value
        self.by_value: Set[str] = set(CONTESTED)  # names whose value decides
        self.kernels_own: Dict[str, Any] = {}  # IPython's own values, where the first one stays
        self.taken: FrozenSet[str] = frozenset()  # names of those that stood for something of IPython's last time

    def items(self) -> Dict[str, Any]:
        """The user's names and values, in the order of the namespace; a snapshot that threads cannot disturb."""
        found, never, taken = self.look()
        return {
            name: value
            for name, value in found.items()
            if type(name) is str and name not in never and name not in taken
        }

    def look(self) -> Tuple[Dict[Any, Any], Set[str], FrozenSet[str]]:
        """A copy of the whole namespace, the names in it that never are the user's, and those that are not now."""
        hidden = shell_hidden(self.shell)
        if len(hidden) != len(self.classified):
            self.classify(hidden)
        found = self.namespace.copy()
        absent = object()
        taken = []
        for name in self.by_value:
            value = found.get(name, absent)
            if value is absent:
                continue
            if value is self.kernels_own.get(name, absent):
                taken.append(name)
            elif name in CONTESTED:
                if not kernel_value_replaced(self.shell, name, value, hidden, absent):
                    taken.append(name)
                    if name in ONE_VALUE:
                        self.kernels_own[name] = value
            elif hidden.get(name, absent) is value:
                taken.append(name)
        if len(taken) != len(self.taken) or not self.taken.issuperset(taken):
            self.taken = frozenset(taken)
        return found, self.never, self.taken

    def classify(self, hidden: Dict[str, Any]) -> None:
        """Take in the names that IPython has put there since. They come at the end: only those are looked at."""
        fresh = list(itertools.islice(reversed(hidden), max(0, len(hidden) - len(self.classified))))
        if not self.classified.isdisjoint(fresh) or len(hidden) < len(self.classified):
            fresh = [name for name in hidden if name not in self.classified]
            self.classified.intersection_update(hidden)
        for name in fresh:
            self.classified.add(name)
            if name not in KERNEL_NAMES:
                numbered = type(name) is str and is_numbered_history(name)
                (self.never if numbered else self.by_value).add(name)


def session_items(shell: Any, namespace: Dict[str, Any]) -> Dict[str, Any]:
    """The user's names and values, in the order of the namespace."""
    return SessionNames(shell, namespace).items()


def shell_hidden(shell: Any) -> Dict[str, Any]:
    """``user_ns_hidden``: what IPython put into the namespace itself, by name (a set in very old versions)."""
    hidden = getattr(shell, "user_ns_hidden", None)
    return hidden if type(hidden) is dict else {}


def kernel_value_replaced(shell: Any, name: str, value: Any, hidden: Dict[str, Any], absent: object) -> bool:
    """Whether the user put a value of their own under a contested name.

    ``_`` is rebound by every displayed value and ``user_ns_hidden`` does not follow it, so what the displayhook holds
    decides there: In [1]: for _, x in pairs: ...   leaves a ``_`` that is the user's.
    """
    if name in ("_", "__", "___"):
        hook = getattr(shell, "displayhook", None)
        shown = getattr(hook, name, absent)
        if shown is value or hidden.get(name, absent) is value or (type(value) is str and value == ""):
            return False
        history = namespace_outputs(shell)
        return all(old is not value for old in history)
    if name == "open":
        return value is not builtins.open and type(value).__name__ != "function"
    if name in ("exit", "quit"):
        return type(value).__name__ not in ("ExitAutocall", "ZMQExitAutocall", "Quitter")
    if name == "get_ipython":
        return type(value) is not types.MethodType and type(value) is not types.FunctionType
    if name in hidden:
        return hidden[name] is not value
    return type(value).__module__.partition(".")[0] not in ("IPython", "builtins")


def namespace_outputs(shell: Any) -> List[Any]:
    """The last displayed values: ``_`` may still name one of them."""
    outputs = getattr(getattr(shell, "history_manager", None), "output_hist", None)
    return list(outputs.values())[-4:] if type(outputs) is dict else []
