"""What the user, the tags of cells, or the verification of an earlier plan want of a plan."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the user, or the verification of an earlier plan, wants of single names and cells.

    ``store`` and ``replay`` force a side where it is possible; ``exclude`` leaves names out; ``only``, where not empty,
    leaves out all others. ``max_bytes``: the stored values together may take no more.

    The tags of cells, as the executions (``Execution.ordinal``) of tagged cells. ``never_rerun``: no statement of it is
    replayed but definitions, which are code and not work; ``always_store``: what it made is stored, if it can be;
    ``recompute``: what it made is replayed, if it can be, whatever that costs. A name given to ``store`` or ``replay``
    overrules a tag; where one co-variable is under both tags it is stored.

    ``stored_before`` and ``replayed_before``: what the bundle that is replaced did with a name. Where both sides cost
    nearly the same the earlier choice stays.
    """

    store: frozenset[str] = frozenset()
    replay: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    learned: tuple[tuple[str, str], ...] = ()  # (name, why) of sides that verification and not the user forced
    max_bytes: int | None = None
    never_rerun: frozenset[int] = frozenset()
    always_store: frozenset[int] = frozenset()
    recompute: frozenset[int] = frozenset()
    stored_before: frozenset[str] = frozenset()
    replayed_before: frozenset[str] = frozenset()

    def keeps(self, name: str) -> bool:
        """Whether ``name`` is to be moved at all."""
        return name not in self.exclude and (not self.only or name in self.only)
