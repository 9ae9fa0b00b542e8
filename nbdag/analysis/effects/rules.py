"""The shape of an effect rule, and what rules may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nbdag.model.facts import Certainty, EffectKind

UNKNOWN = object()  # an argument of which nothing is known


@dataclass(frozen=True, slots=True)
class Typed:
    """An argument whose type is known, but not its value."""

    type: str


@dataclass(frozen=True, slots=True)
class Shape:
    """The arguments of a call: string and truth constants as they are, ``Typed`` or ``UNKNOWN`` otherwise."""

    positional: tuple[object, ...] = ()
    keywords: Mapping[str, object] = field(default_factory=dict)

    def argument(self, position: int, keyword: str, missing: object = None) -> object:
        """The argument at ``position`` or named ``keyword``; ``missing`` if it is not given."""
        if keyword in self.keywords:
            return self.keywords[keyword]
        if position < len(self.positional):
            return self.positional[position]
        return UNKNOWN if "*" in self.keywords or "**" in self.keywords else missing


Judge = Callable[[Shape], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of effect of a call; ``judge`` says whether this very call has it (None: always)."""

    kind: EffectKind
    certainty: Certainty = Certainty.MUST
    judge: Judge | None = None


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What one file of this folder knows. All names are dotted, space-separated; ``.*`` at the end matches the rest.

    ``calls``: functions and ``type.method``. ``methods``: names of methods that mean this on a receiver of unknown
    type. ``reads`` and ``stores``: attributes whose reading or setting is the effect. ``judged``: as ``calls``, but the
    function looks at the arguments first. ``not_calls``: what a ``.*`` of ``calls`` does not mean.
    """

    kind: EffectKind
    calls: str = ""
    maybe: str = ""
    methods: str = ""
    reads: str = ""
    stores: str = ""
    judged: tuple[tuple[str, Judge], ...] = ()
    judged_maybe: tuple[tuple[str, Judge], ...] = ()
    judged_methods: tuple[tuple[str, Judge], ...] = ()
    not_calls: str = ""
