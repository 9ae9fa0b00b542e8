"""What a cell's text says about how long it takes: its numbers, and what they are known to mean.

Two texts that differ in numbers only have one *shape*: ``fit(X, epochs=5)`` run with ``epochs=200`` is the same cell
with another parameter. A parameter is a number under a name: a keyword argument, an assigned name, the argument of
``range``, the length of a list in a grid, the current value of a variable that the cell reads::

    search = GridSearchCV(model, {"C": [1, 10, 100]}, cv=5)      grid:C = 3, cv = 5
    for epoch in range(epochs):                                  epochs = 40, as the session has it

``PROPORTIONAL`` names are taken to make a cell longer in proportion until runs say otherwise; other numbers are taken
to say nothing until then. Strings are never kept, nor is anything under a name that credentials go by.
"""

from __future__ import annotations

import ast
import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nbdag.analysis.wordlist import words
from nbdag.portable.credentials import PLAIN_WORDS, VAGUE_WORDS, WORDS

PROPORTIONAL = words(
    """
    epochs epoch n_epochs num_epochs nb_epoch n_iter n_iters iterations num_iterations max_iter niter steps
    n_steps num_steps n_estimators num_boost_round num_round num_trees n_trees rounds boosting_rounds cv
    n_splits folds n_repeats repeats n_runs trials n_trials n_samples num_samples samples rows n_rows nrows
    n_points points draws n_draws tune chains n_init n_bootstrap bootstraps replicates permutations
    n_permutations simulations n_simulations sims width height size bands n_bands images n_images frames tiles
    n_tiles grid grid_size resolution n_components n_clusters hidden_units depth max_depth layers n_layers
    n_neighbors window radius
    """
)
"""Names whose number is usually how often something is done, or how much of it there is."""

INVERSE = words("n_jobs num_workers workers n_threads threads batch_size stride step subsample downsample")
"""Names whose number usually makes a cell shorter."""

MOST_PARAMETERS = 6
"""What is learned about one shape: with more numbers than runs, nothing could be told apart."""

_LARGEST = 1e15
_NUMBER = re.compile(r"(?<![\w.])\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number of a cell under a name. ``exponent``: the power of it that the time is taken to go by before any run."""

    name: str
    value: float

    @property
    def exponent(self) -> float:
        word = self.name.rsplit(":", 1)[-1].lower()
        if self.name.startswith(("range", "grid:")) or word in PROPORTIONAL:
            return 1.0
        return -0.5 if word in INVERSE else 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a cell's text: digests of the text and of its shape, and its parameters in order of weight."""

    cell: str
    shape: str
    parameters: tuple[Parameter, ...]


def read_cell(source: str, values: Mapping[str, object] | None = None) -> Reading:
    """The cell's digests and parameters; ``values`` are those of the session's variables before it runs.

    A text that is no Python has a shape (its numbers taken out) and no parameters.
    """
    cell = _digest(source.strip())
    try:
        tree = ast.parse(_without_magics(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Reading(cell, _digest(_NUMBER.sub("0", source.strip())), ())
    found: dict[str, float] = {}
    for name, value in _parameters(tree, values or {}):
        if 0 < value < _LARGEST and not _confidential(name):
            # One name several times, as in two calls of one cell: they add up in some way; the product of both would
            # be another parameter for every combination.
            found[name] = max(found.get(name, 0.0), value)
    parameters = [Parameter(name, value) for name, value in found.items()]
    parameters.sort(key=lambda one: -abs(one.exponent))  # stable: what is known to matter, then as they stand there
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and _is_number(node.value):
            node.value = 0
    try:
        shape = _digest(ast.dump(tree))
    except RecursionError:
        shape = _digest(_NUMBER.sub("0", source.strip()))
    return Reading(cell, shape, tuple(parameters[:MOST_PARAMETERS]))


def assigned_numbers(source: str) -> dict[str, float | None]:
    """What the text alone says of the names it binds at top level: their number, None where it does not say one."""
    try:
        tree = ast.parse(_without_magics(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[str, float | None] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                pairs = [(target, statement.value)]
                if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                    pairs = list(zip(target.elts, statement.value.elts, strict=False))
                found.update({to.id: _number_of(value) for to, value in pairs if isinstance(to, ast.Name)})
        elif isinstance(statement, ast.AnnAssign | ast.AugAssign) and isinstance(statement.target, ast.Name):
            plain = isinstance(statement, ast.AnnAssign) and statement.value is not None
            found[statement.target.id] = _number_of(statement.value) if plain and statement.value else None
    return found


# ------------------------------------------------------------------------------------------------ parameters in trees


def _parameters(tree: ast.Module, values: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    bound: set[str] = set()
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in inside:
            continue  # a definition takes no time, whatever numbers are in it
        if isinstance(node, ast.Call):
            yield from _arguments(node, values)
        elif isinstance(node, ast.Assign):
            number = _value_of(node.value, values)
            for target in node.targets:
                if isinstance(target, ast.Name):
                    bound.add(target.id)
                    if number is not None:
                        yield target.id, number
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(value, ast.List | ast.Tuple) and isinstance(key, ast.Constant) and value.elts:
                    name = key.value if isinstance(key.value, str) and key.value.isidentifier() else "item"
                    yield f"grid:{name}", float(len(value.elts))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in bound:
            number = _plain_number(values.get(node.id))
            if number is not None:
                yield node.id, number


def _arguments(call: ast.Call, values: Mapping[str, object]) -> Iterator[tuple[str, float]]:
    function = call.func
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    for keyword in call.keywords:
        number = _value_of(keyword.value, values)
        if keyword.arg and number is not None:
            yield keyword.arg, number
    numbers = [_value_of(argument, values) for argument in call.args]
    if name == "range" and numbers and all(number is not None for number in numbers):
        told = [int(number) for number in numbers if number is not None]
        yield "range", float(len(range(*told[:3])) if len(told) < 3 or told[2] else 0)
    elif name in {"linspace", "logspace", "geomspace"} and len(numbers) > 2 and numbers[2] is not None:
        yield f"grid:{name}", numbers[2]


def _value_of(node: ast.expr, values: Mapping[str, object]) -> float | None:
    if isinstance(node, ast.Name):
        return _plain_number(values.get(node.id))
    return _number_of(node)


def _number_of(node: ast.expr | None) -> float | None:
    """The number an expression of literals is: ``10``, ``-1``, ``10 ** 6``, ``4 * 1024``."""
    if isinstance(node, ast.Constant):
        return _plain_number(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number_of(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.BinOp):
        left, right = _number_of(node.left), _number_of(node.right)
        if left is None or right is None:
            return None
        try:
            if isinstance(node.op, ast.Mult):
                return left * right
            if isinstance(node.op, ast.Add):
                return left + right
            if isinstance(node.op, ast.Sub):
                return left - right
            if isinstance(node.op, ast.Pow) and abs(right) < 64:
                power = left**right
                return float(power) if isinstance(power, float) else None
        except (OverflowError, ZeroDivisionError):
            return None
    return None


def _plain_number(value: object) -> float | None:
    if not _is_number(value):
        return None
    number = float(value) if abs(value) < _LARGEST else math.inf  # type: ignore[arg-type]
    return number if math.isfinite(number) else None


def _is_number(value: object) -> bool:
    return type(value) is int or type(value) is float


def _confidential(name: str) -> bool:
    return not {word.lower() for word in WORDS.findall(name)}.isdisjoint(PLAIN_WORDS | VAGUE_WORDS)


def _without_magics(source: str) -> str:
    """The Python of a cell: a ``%%time`` line and line magics as blank lines, so that line numbers stay."""
    lines = source.splitlines()
    return "\n".join("pass" if line.lstrip()[:1] in "%!" and line.strip() else line for line in lines)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
