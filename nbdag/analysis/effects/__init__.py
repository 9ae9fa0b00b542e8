"""What statements do beyond their variables: rules by dotted name, one file per kind (``docs/adding/effects.md``)."""

from __future__ import annotations

from functools import lru_cache

from nbdag.analysis.effects import clock, config, display, environment, files, inputs, network, processes, randomness
from nbdag.analysis.effects.rules import UNKNOWN, Rule, RuleSet, Shape, Typed
from nbdag.model.facts import Certainty

RULE_SETS: tuple[RuleSet, ...] = (
    clock.RULES,
    randomness.RULES,
    *files.RULES,
    network.RULES,
    processes.RULES,
    display.RULES,
    inputs.RULES,
    environment.RULES,
    config.RULES,
)


def _index() -> tuple[dict[str, list[Rule]], dict[str, list[Rule]], dict[str, list[Rule]], dict[str, list[Rule]]]:
    calls: dict[str, list[Rule]] = {}
    methods: dict[str, list[Rule]] = {}
    reads: dict[str, list[Rule]] = {}
    stores: dict[str, list[Rule]] = {}

    def add(table: dict[str, list[Rule]], names: str, rule: Rule) -> None:
        for name in names.split():
            table.setdefault(name, []).append(rule)

    for rules in RULE_SETS:
        must, may = Rule(rules.kind), Rule(rules.kind, Certainty.MAY)
        add(calls, rules.calls, must)
        add(calls, rules.maybe, may)
        add(methods, rules.methods, may)
        add(reads, rules.reads, must)
        add(stores, rules.stores, must)
        for names, judge in rules.judged:
            add(calls, names, Rule(rules.kind, Certainty.MUST, judge))
        for names, judge in rules.judged_maybe:
            add(calls, names, Rule(rules.kind, Certainty.MAY, judge))
        for names, judge in rules.judged_methods:
            add(methods, names, Rule(rules.kind, Certainty.MAY, judge))
    return calls, methods, reads, stores


_CALLS, _METHODS, _READS, _STORES = _index()
_EXCEPTIONS = {rules.kind: frozenset(rules.not_calls.split()) for rules in RULE_SETS}


def _lookup(table: dict[str, list[Rule]], path: str) -> tuple[Rule, ...]:
    found = list(table.get(path, ()))
    kinds = {rule.kind for rule in found}
    module = path.rpartition(".")[0]
    names = {path}
    while module:
        names.add(module + ".*")
        module = module.rpartition(".")[0]
    module = path.rpartition(".")[0]
    while module:
        for rule in table.get(module + ".*", ()):
            if rule.kind not in kinds and not names & _EXCEPTIONS[rule.kind]:
                found.append(rule)
                kinds.add(rule.kind)
        module = module.rpartition(".")[0]
    return tuple(found)


@lru_cache(maxsize=4096)
def of_call(path: str) -> tuple[Rule, ...]:
    """The rules for calling ``path``, which is a function or ``type.method``."""
    return _lookup(_CALLS, path)


@lru_cache(maxsize=4096)
def of_unknown_method(name: str) -> tuple[Rule, ...]:
    """The rules for a method called ``name`` of something whose type nobody knows; all of them MAY."""
    return tuple(_METHODS.get(name, ()))


@lru_cache(maxsize=4096)
def of_read(path: str) -> tuple[Rule, ...]:
    """The rules for reading the attribute ``path``."""
    return _lookup(_READS, path)


@lru_cache(maxsize=4096)
def of_store(path: str) -> tuple[Rule, ...]:
    """The rules for setting ``path`` or an item of it."""
    return _lookup(_STORES, path)


__all__ = ["RULE_SETS", "UNKNOWN", "Rule", "RuleSet", "Shape", "Typed", "of_call", "of_read", "of_store",
           "of_unknown_method"]  # fmt: skip
