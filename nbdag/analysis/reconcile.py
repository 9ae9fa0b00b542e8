"""Static facts x trace -> the session graph: steps in the order they ran, with the versions they read and leave.

| fact | the text | the recorder | taken |
|---|---|---|---|
| a name is read | reads it, now or in a call | code that runs mentions it | either |
| a name is bound | must bind it | identity changed | either |
| a name is bound | may bind it | identity did not change | no |
| a name is bound | nothing | identity changed (exec, callbacks) | yes |
| a name is deleted | must delete it | it is gone | either |
| a value changed | see ``mutation.py`` | | |
| a library changed | assigns to its attribute (``np.mean = f``), also in a call | does not look there | yes |
| a library changed | bare call, named like a registration (``lib.register(...)``) | no variable changed | yes |
| an effect happened | see ``hazards.py`` | | |
| text and runs do not fit together | | | one step for the whole cell |

Where the two sides contradict each other, ``disagreement.py`` says so, with both.

ElasticNotebook's history graph (section 4) has one node per cell execution; here a node is a statement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from nbdag.analysis.alignment import Unit, align
from nbdag.analysis.disagreement import disagreements, plain_names
from nbdag.analysis.future import FUTURE, has_annotations
from nbdag.analysis.hazards import DigestOfFile, hazards_of, sha256_of_file
from nbdag.analysis.magic_table import SCRIPT_GLOBALS
from nbdag.analysis.mutation import changed_in_place, only_makes_names, said_to_bind
from nbdag.analysis.patches import (
    CAPTURED_OPTIONS,
    asks_ipython,
    attributes_set_in_functions,
    modules_patched,
    registered_with,
)
from nbdag.model.facts import AccessKind, CellFacts, Certainty, EffectKind, Statement, StatementKind
from nbdag.model.findings import Diagnostic, Severity
from nbdag.model.graph import Covariable, Hazard, Reluctance, SessionGraph, Step, Version
from nbdag.model.options import option_in
from nbdag.model.trace import Execution, FileUse, Trace, ValueKind, Variable

OPTIONS = "<options>"
"""Pseudo-name of the process-wide options of libraries: who changes them binds it, whoever runs later reads it."""

UNKNOWN_SECONDS = 1.0
"""What a statement is taken to cost that ran before nbdag was recording, if nobody wrote it down (``late.py``)."""

DEFINITIONS = (StatementKind.IMPORT, StatementKind.FUNCTION, StatementKind.CLASS)


def reconcile(facts: Sequence[CellFacts], trace: Trace, digest_of: DigestOfFile = sha256_of_file) -> SessionGraph:
    """The session graph of ``trace``; ``facts`` are those of its executions, one by one, calls resolved."""
    defined = frozenset(v.name for v in trace.variables if v.kind is not ValueKind.DATA)
    builder = _Builder(digest_of, defined, trace.variables)
    plain = plain_names(trace)
    nested: dict[int, list[Execution]] = {}
    for execution in trace.executions:
        if execution.parent is not None:
            nested.setdefault(execution.parent, []).append(execution)
    cells = dict(zip((execution.ordinal for execution in trace.executions), facts, strict=True))

    def add(execution: Execution) -> None:
        inner = nested.get(execution.ordinal, ())
        cell = cells[execution.ordinal]
        units = align(cell, execution, inner)
        asking = _asking(execution, units, inner)
        if asking is not None:
            units = (*units[:asking], _without_inner(units[asking], inner), *units[asking + 1 :])
        builder.add(execution, units, asking, partial(add_all, inner))
        builder.findings += disagreements(execution, cell, units, plain)

    def add_all(executions: Sequence[Execution]) -> None:
        for execution in executions:
            add(execution)

    add_all([execution for execution in trace.executions if execution.parent is None])
    covariables = covariables_of(trace, builder.current, builder.patches)
    return SessionGraph(tuple(builder.steps), covariables, tuple(builder.findings))


RUNS_CELLS = (Hazard(Reluctance.NEVER, "it has IPython run cells, and restore.py has none"),)
ASKS_IPYTHON = (Hazard(Reluctance.NEVER, "it asks IPython (get_ipython), which restore.py does not have"),)


def _asking(execution: Execution, units: Sequence[Unit], inner: Sequence[Execution]) -> int | None:
    """Which of ``units`` had IPython run ``inner``; None where nothing ran inside, or nobody can tell.

    get_ipython().run_cell("g = iter(xs)")      replayed is what it ran, each statement by itself, and not the call
    """
    done = {name for child in inner for run in child.statements for name in run.bound}
    own = [index for index, unit in enumerate(units) if unit.run in execution.statements and unit.share == 1]
    found = [index for index in own if len(units) == 1 or not done.isdisjoint(getattr(units[index].run, "bound", ()))]
    return found[0] if inner and len(found) == 1 else None


def _without_inner(unit: Unit, inner: Sequence[Execution]) -> Unit:
    """``unit`` without the names that the executions inside it bound."""
    if unit.run is None:
        return unit
    done = {name for execution in inner for run in execution.statements for name in run.bound}
    return replace(unit, run=replace(unit.run, bound=tuple(name for name in unit.run.bound if name not in done)))


def covariables_of(
    trace: Trace, current: Mapping[str, Version], patches: frozenset[Version] = frozenset()
) -> tuple[Covariable, ...]:
    """The active co-variables that the survey found, each name in its current version.

    ``patches`` are modules, and classes and functions of libraries, as left by a step that set attributes of theirs:
    these are stored by name, so the steps must be replayed.
    """
    groups: dict[int, list[int]] = {}
    for index, variable in enumerate(trace.variables):
        groups.setdefault(variable.group, []).append(index)
    covariables = []
    for members in groups.values():
        variables = [trace.variables[index] for index in members]
        versions = tuple(current.get(variable.name, Version(variable.name, -1)) for variable in variables)
        kind = _kind({variable.kind for variable in variables})
        patched = any(version in patches for version in versions)
        obstacle = next((variable.obstacle for variable in variables if variable.obstacle), "")
        covariables.append(
            Covariable(
                names=tuple(variable.name for variable in variables),
                versions=versions,
                size=variables[0].size,
                store_seconds=variables[0].store_seconds,
                storable=all(variable.storable for variable in variables) and not patched,
                obstacle=PATCHED if patched else obstacle,
                kind=kind,
                altered=any(variable.altered for variable in variables),
            )
        )
    return tuple(sorted(covariables, key=lambda covariable: covariable.names))


def _kind(kinds: set[ValueKind]) -> ValueKind:
    for kind in (ValueKind.CLASS, ValueKind.FUNCTION, ValueKind.MODULE):
        if kind in kinds:
            return kind
    return ValueKind.DATA


class _Builder:
    """Adds executions one after another and keeps the current version of every name."""

    def __init__(self, digest_of: DigestOfFile, defined: frozenset[str], variables: Sequence[Variable]) -> None:
        self._defined = defined  # names that hold functions, classes and modules now
        self._modules = frozenset(v.name for v in variables if v.kind is ValueKind.MODULE)
        self._named = frozenset(v.name for v in variables if v.type in NAMED_TYPES or v.type.endswith("Meta"))
        self._loggers = frozenset(v.name for v in variables if v.type in LOGGER_TYPES)
        self.steps: list[Step] = []
        self.current: dict[str, Version] = {}
        self.findings: list[Diagnostic] = []
        self._options_said: dict[str, Diagnostic] = {}  # by option: the last statement that set it
        self.patches: frozenset[Version] = frozenset()  # modules in which a step has set something
        self._set_in_functions: set[tuple[str, str]] = set()  # what functions set when they are called
        self.imported: frozenset[str] = frozenset()  # names that an import bound last
        self._future: Version | None = None  # from __future__ import annotations
        self._sources: dict[int, str] = {}  # by execution
        self._digest_of = digest_of

    def add(
        self, execution: Execution, units: Sequence[Unit], asking: int | None, add_inner: Callable[[], None]
    ) -> None:
        """The steps of one execution; those of what the unit ``asking`` had IPython run stand before its own."""
        self._sources[execution.ordinal] = execution.source
        linked = {name: frozenset(group) for group in execution.covariables for name in group}
        mutated = changed_in_place(units, linked)
        for index, unit in enumerate(units):
            others = [other.statement for other in units if other.run is unit.run and other is not unit]
            # The notebook file may tell how long a whole cell took that ran before nbdag was recording.
            seconds = execution.seconds / len(units) if execution.seconds else UNKNOWN_SECONDS
            if index == asking:
                add_inner()
            hazards = RUNS_CELLS if index == asking else ()
            self._add_step(execution, unit, mutated[index], others if unit.share > 1 else (), seconds, hazards)

    def _add_step(
        self,
        execution: Execution,
        unit: Unit,
        mutated: frozenset[str],
        siblings: Sequence[Statement],
        unknown_seconds: float,
        more_hazards: tuple[Hazard, ...],
    ) -> None:
        statement, run = unit.statement, unit.run
        position = len(self.steps)
        asks = () if statement.kind in DEFINITIONS or not asks_ipython(statement.python or "") else ASKS_IPYTHON
        hazards = (*more_hazards, *asks, *hazards_of(statement, run, execution, self._digest_of))
        bound = _bound(unit, siblings)
        if statement.kind is StatementKind.IMPORT and self._imported_before(statement, execution, bound):
            bound = frozenset()
        deleted = _deleted(unit, bound)
        patched = self._patched(statement, unit, hazards, bool(mutated or bound))
        if statement.kind is StatementKind.EXPRESSION and (patched or _configures(statement)):
            # log.addHandler(handler)      What is handed over counts as changed where it cannot be looked into. It must
            # be there before this runs on the target, stored or not.
            mutated &= _names(unit, AccessKind.MUTATE, Certainty.MUST)
        mutated = (mutated | patched) - bound
        # Point = namedtuple("Point", "x y"), or a def inside try: as good as a definition if it binds nothing else.
        only_defines = bool(bound) and bound <= self._defined and not mutated and not statement.opaque
        definition = _is_definition(statement, unit, hazards, only_defines)
        if definition:
            hazards = tuple(hazard for hazard in hazards if hazard.reluctance < Reluctance.LAST_RESORT)
        read = _read(unit, siblings)
        if statement.opaque and run is None:
            read |= frozenset(self.current)
        options = self._changes_options(statement, hazards)
        wanted = read | mutated | (frozenset() if definition else {OPTIONS})
        inputs = tuple(self.current[name] for name in sorted(wanted) if name in self.current)
        if self._future is not None and self._future not in inputs and has_annotations(statement.python or ""):
            inputs += (self._future,)
        outputs = tuple(Version(name, position) for name in sorted(bound | mutated | ({OPTIONS} if options else set())))
        self.steps.append(
            Step(
                position=position,
                execution=execution.ordinal,
                code=statement.python,
                line=statement.place.line,
                seconds=unknown_seconds if run is None else run.seconds / unit.share,
                inputs=inputs,
                outputs=outputs,
                binds=tuple(sorted(bound)),
                reads=tuple(sorted(read & frozenset(self.current))),
                definition=definition,
                display=not bound and not mutated and statement.kind is StatementKind.EXPRESSION,
                hazards=hazards,
                random_state=() if run is None else run.random_state,
                drew=() if run is None else run.drew,
                files=() if run is None or statement.kind is StatementKind.IMPORT else _spelled(statement, run.files),
                failed=run is not None and not run.completed,
            )
        )
        # What is changed once more still has what was set in it before.
        again = {name for name in mutated if self.current.get(name) in self.patches}
        self.patches |= {Version(name, position) for name in (patched | again) - bound}
        self.imported = self.imported | bound if statement.kind is StatementKind.IMPORT else self.imported - bound
        for version in outputs:
            self.current[version.name] = version
        if self._future is None and outputs and (statement.python or "").startswith(FUTURE):
            self._future = outputs[0]
        for name in deleted:
            self.current.pop(name, None)

    def _imported_before(self, statement: Statement, execution: Execution, bound: frozenset[str]) -> bool:
        """Whether an earlier run of the same cell has imported the same, and the names still hold it.

        Then that run made them: what it took is what the import takes, and what was set since stands behind it.
        """
        makers = {self.current[name].made_by if name in self.current else -1 for name in bound}
        if len(makers) != 1 or -1 in makers:
            return False
        maker = self.steps[makers.pop()]
        same = maker.definition and maker.code == statement.python and frozenset(maker.binds) == bound
        return same and self._sources[maker.execution] == execution.source

    def _patched(self, statement: Statement, unit: Unit, hazards: Sequence[Hazard], leaves: bool) -> frozenset[str]:
        """The modules, and classes and functions of libraries, whose attributes ``statement`` sets.

        Where it cannot be replayed nothing brings that back: this is said, and the library itself is not lost for it.
        """
        libraries = self._modules | (self.imported & self._named)
        names = modules_patched(statement.python or "", libraries | self._loggers)
        called = self._patched_in_calls(statement, libraries) - names
        kinds = {effect.kind for effect in statement.effects}
        if kinds.isdisjoint((EffectKind.CONFIG, EffectKind.DISPLAY)):
            called |= registered_with(statement.python or "", libraries, leaves)
        doubt = next((hazard.reason for hazard in hazards if hazard.reluctance >= Reluctance.LAST_RESORT), "")
        if called and not doubt and unit.run is not None and unit.run.seconds > MOST_SECONDS_FOR_PATCHES:
            doubt = f"running it again would take {unit.run.seconds:.0f} s"
        names |= called
        if names and (doubt or unit.run is None):
            what = f"what {(statement.python or '').strip()[:60]!r} set in {', '.join(sorted(names))} is not restored"
            self.findings.append(
                Diagnostic("library-not-restored", Severity.WARNING, f"{what}: {doubt}" if doubt else what)
            )
            return frozenset()
        return names

    def _patched_in_calls(self, statement: Statement, libraries: frozenset[str]) -> frozenset[str]:
        """The libraries that functions assign into which ``statement`` calls: ``def patch(): np.mean = f``.

        What such functions set as an option travels as process state: ``def style(): plt.rcParams["font.size"] = 20``.
        """
        self._set_in_functions.update(attributes_set_in_functions(statement.python or ""))
        changed = frozenset(
            access.name
            for access in statement.accesses
            if access.kind is AccessKind.MUTATE and access.certainty is Certainty.MUST and not access.deferred
        )
        found = set()
        for name in changed & libraries:
            attributes = {attribute for known, attribute in self._set_in_functions if known == name}
            if not attributes or attributes - CAPTURED_OPTIONS:  # none: it was passed to the function
                found.add(name)
        return frozenset(found)

    def _changes_options(self, statement: Statement, hazards: Sequence[Hazard]) -> bool:
        if not statement.python or not _configures(statement):
            return False
        doubt = next((hazard.reason for hazard in hazards if hazard.reluctance >= Reluctance.LAST_RESORT), "")
        if doubt:
            what = f"what {statement.python.strip()[:60]!r} set comes back as far as it is plain values"
            finding = Diagnostic("options-not-replayed", Severity.WARNING, f"{what}: {doubt}")
            earlier = self._options_said.pop(option_in(statement.python), None)
            self.findings = [known for known in self.findings if known is not earlier] + [finding]
            self._options_said[option_in(statement.python)] = finding
        return not doubt


def _spelled(statement: Statement, files: tuple[FileUse, ...]) -> tuple[FileUse, ...]:
    """``files`` by the paths that the code has: ``%run scripts/load.py`` opens the script by its whole path."""
    code = statement.python or ""
    if SCRIPT_GLOBALS not in code:
        return files
    found = []
    for use in files:
        parts = use.absolute.split("/")
        ends = ["/".join(parts[start:]) for start in range(1, len(parts))]
        own = next((end for end in ends if repr(end) in code), use.path) if repr(use.path) not in code else use.path
        found.append(replace(use, path=own) if use.path == use.absolute else use)
    return tuple(found)


def _configures(statement: Statement) -> bool:
    return any(effect.kind is EffectKind.CONFIG and not effect.deferred for effect in statement.effects)


PATCHED = "what belongs to a library is stored by its name, without what was set in it"

NAMED_TYPES = ("type", "function", "builtin_function_or_method")
"""Types of what a library defines and a pickle refers to by name; metaclasses beside."""

LOGGER_TYPES = ("logging.Logger", "logging.RootLogger")
"""Loggers are stored by their name as well: what is set in one (``log.propagate = False``) is set again."""

MOST_SECONDS_FOR_PATCHES = 10.0
"""A call that takes longer is not made again on the target for what it sets in a library; this is said."""


def _is_definition(statement: Statement, unit: Unit, hazards: Sequence[Hazard], only_defines: bool) -> bool:
    if statement.python is None or not (statement.kind in DEFINITIONS or only_defines):
        return False
    if unit.run is None:
        # An import or a def that ran before the recorder came is as good as any, unless its text does more.
        grave = [hazard for hazard in hazards if "before nbdag" not in hazard.reason]
        return not statement.opaque and all(hazard.reluctance < Reluctance.LAST_RESORT for hazard in grave)
    return all(hazard.reluctance < Reluctance.LAST_RESORT for hazard in hazards)


def _names(unit: Unit, kind: AccessKind, certainty: Certainty | None = None) -> frozenset[str]:
    return frozenset(
        access.name
        for access in unit.statement.accesses
        if access.kind is kind and not access.deferred and certainty in (None, access.certainty)
    )


def _bound(unit: Unit, siblings: Sequence[Statement]) -> frozenset[str]:
    run = unit.run
    if run is None:
        return _names(unit, AccessKind.BIND)
    seen = frozenset(run.bound)
    if siblings:
        # Several statements of one run: each gets what its text binds, the last what nobody's text does.
        others = frozenset(
            access.name for other in siblings for access in other.accesses if access.kind is AccessKind.BIND
        )
        seen = (seen - others if unit.last else frozenset()) | (seen & said_to_bind(unit))
    return seen | (_names(unit, AccessKind.BIND, Certainty.MUST) if run.completed else frozenset())


def _deleted(unit: Unit, bound: frozenset[str]) -> frozenset[str]:
    said = _names(unit, AccessKind.DELETE, Certainty.MUST)
    if unit.run is None:
        return said
    seen = frozenset(unit.run.deleted) if unit.last else frozenset()
    return (seen | said if unit.run.completed else seen) - bound


def _read(unit: Unit, siblings: Sequence[Statement]) -> frozenset[str]:
    said = _names(unit, AccessKind.READ) | _names(unit, AccessKind.MUTATE) | _names(unit, AccessKind.DELETE)
    if unit.run is None:
        return said
    if only_makes_names(unit.statement):
        return said
    # The recorder followed the objects themselves: an alias that the text allows and it did not reach is none.
    # What functions mention that did not start counts as read, not as changed: a library may have looked into them.
    seen = frozenset(unit.run.reached).union(unit.run.beyond)
    said = _names(unit, AccessKind.READ, Certainty.MUST) | _names(unit, AccessKind.DELETE) | (said & seen)
    if siblings:
        # What a sibling's text mentions was reached by the sibling.
        seen -= frozenset(access.name for sibling in siblings for access in sibling.accesses) - said
    return said | seen
