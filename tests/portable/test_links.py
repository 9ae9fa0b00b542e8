"""Which names of a notebook share state: each case is a notebook, and the groups of two and more it must give."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdag.portable.links import NOTHING_REACHED, Reach, covariables, group, reach
from tests.interpreters import interpreters
from tests.portable.cases.harness import LIBRARIES, PLOTTING, PRELUDE, ask_python, made_by, standard
from tests.portable.cases.sharing import APART, LINKED, PLOTS
from tests.portable.lifetimes import keeps_nothing_alive


def groups_of(namespace: dict[str, Any]) -> list[list[str]]:
    return [members for members in covariables(namespace, namespace) if len(members) > 1]


def parse_groups(text: str) -> list[list[str]]:
    return [part.split() for part in text.split("|") if part.strip()]


@pytest.mark.parametrize("case", LINKED)
def test_shared_state_links(case: str) -> None:
    source, expected = LINKED[case]
    groups = groups_of(made_by(source, LIBRARIES))
    wanted = parse_groups(expected)
    assert [[name for name in members if name in expected.split()] for members in groups] == wanted


@pytest.mark.parametrize("case", APART)
def test_what_is_nobodys_does_not_link(case: str) -> None:
    assert groups_of(made_by(APART[case], LIBRARIES)) == []


@pytest.mark.parametrize("case", PLOTS)
def test_global_state_of_libraries_does_not_link(case: str) -> None:
    source, expected = PLOTS[case]
    namespace = made_by(source, LIBRARIES, PLOTTING)
    namespace.pop("x", None)
    assert groups_of(namespace) == parse_groups(expected)
    sys.modules["matplotlib.pyplot"].close("all")


TABLES = """
import json, sys
sys.path.insert(0, sys.argv[1])
from nbdag.portable.links import covariables
tables = json.load(sys.stdin)
wrong = []
for case, (source, expected) in tables["cases"].items():
    namespace = {"__name__": "__main__"}
    exec(tables["prelude"], namespace)
    before = dict(namespace)
    exec(source, namespace)
    names = [name for name in namespace if name not in before or namespace[name] is not before[name]]
    groups = [[name for name in g if name in expected.split()] for g in covariables(namespace, names) if len(g) > 1]
    if groups != [part.split() for part in expected.split("|") if part.strip()]:
        wrong.append([case, groups])
print(json.dumps(wrong))
"""


@pytest.mark.slow
@pytest.mark.parametrize("version", interpreters())
def test_the_tables_hold_in_every_python(version: str) -> None:
    if version.startswith("pypy"):
        pytest.skip("the recorder runs in CPython")
    cases = {case: entry for case, entry in LINKED.items() if standard(entry[0])}
    cases.update({case: (source, "") for case, source in APART.items() if standard(source)})
    assert ask_python(version, TABLES, {"prelude": PRELUDE, "cases": cases}) == []


def test_every_name_is_in_exactly_one_group_in_order() -> None:
    shared: list[int] = []
    namespace = {"z": shared, "b": 1, "a": [shared], "c": []}
    assert covariables(namespace, ["c", "z", "b", "a", "gone"]) == [["a", "z"], ["b"], ["c"]]


def test_a_reach_keeps_nothing_alive() -> None:
    assert keeps_nothing_alive(reach)


def test_an_atom_reaches_nothing() -> None:
    assert reach(1) is NOTHING_REACHED and not reach("x")
    assert reach([]) != reach([1]) and reach(sys) == NOTHING_REACHED


def test_code_of_what_an_instance_can_run() -> None:
    namespace = made_by(
        """
def rate(): return 2
def deco(f):
    def wrapper(*a): return f(*a)
    return wrapper
class Base:
    def inherited(self): pass
class C(Base):
    handlers = {"x": lambda: 1}
    @property
    def p(self): pass
    @staticmethod
    def s(): pass
    @deco
    def m(self): pass
    @functools.cached_property
    def c(self): pass
c = C()
"""
    )
    names = {code.co_name for code in reach([namespace["c"]]).codes}
    assert {"inherited", "p", "s", "m", "wrapper", "c", "<lambda>"} <= names
    assert id(namespace["C"]) in reach(namespace["c"]).definitions
    assert {code.co_name for code in reach({"k": namespace["rate"]}).codes} == {"rate"}


def test_no_code_of_the_users_runs() -> None:
    namespace = made_by(
        """
class Hostile:
    def __getattribute__(self, name): raise SystemExit
    def __eq__(self, other): raise SystemExit
    def __hash__(self): raise SystemExit
    def __len__(self): raise SystemExit
    def __iter__(self): raise SystemExit
    def __reduce_ex__(self, p): raise SystemExit
    __class__ = property(lambda self: 1 / 0)
class Meta(type):
    def __getattribute__(cls, name): raise SystemExit
    def mro(cls): return type.mro(cls)
class Strange(metaclass=Meta): pass
class Words(list):
    def __iter__(self): raise SystemExit
    def __len__(self): raise SystemExit
h = Hostile(); s = Strange(); w = Words([h])
"""
    )
    assert groups_of(namespace) == [["h", "w"]]


def test_depth_and_size_are_no_limit() -> None:
    chain: Any = None
    for _ in range(100_000):
        chain = [chain]
    assert len(reach(chain).ids) == 100_000
    assert len(reach(list(range(1_000_000))).ids) == 1


# ------------------------------------------------------------------------------------------------ grouping


def reach_of(ids: list[int], extents: list[tuple[int, int, bool]] | None = None) -> Reach:
    return Reach(sorted(set(ids)), tuple(sorted(extents or [])), frozenset(), ())


reaches = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.builds(
        reach_of,
        st.lists(st.integers(1, 12), max_size=3),
        st.lists(
            st.tuples(st.integers(0, 30), st.integers(1, 6), st.booleans()).map(lambda e: (e[0], e[0] + e[1], e[2])),
            max_size=2,
        ),
    ),
)


def group_by_pairs(found: dict[str, Reach]) -> list[list[str]]:
    """The definition: names are linked if they share an id, or writable memory; and so on from name to name."""

    def linked(one: Reach, other: Reach) -> bool:
        return bool(set(one.ids) & set(other.ids)) or any(
            a[0] < b[1] and b[0] < a[1] and (a[2] or b[2]) for a in one.extents for b in other.extents
        )

    groups = [{name} for name in found]
    changed = True
    while changed:
        changed = False
        for one in groups:
            for other in groups:
                if one is not other and any(linked(found[a], found[b]) for a in one for b in other):
                    one |= other
                    groups.remove(other)
                    changed = True
                    break
            if changed:
                break
    return sorted(sorted(members) for members in groups)


@given(reaches)
@settings(deadline=None, max_examples=300)
def test_groups_are_the_closure_of_pairs(found: dict[str, Reach]) -> None:
    assert group(found) == group_by_pairs(found)


def test_the_second_name_of_the_session_module_does_not_make_its_variables_foreign() -> None:
    # joblib and multiprocessing put sys.modules["__main__"] into sys.modules["__mp_main__"] as well
    probe = (
        "import sys; sys.modules['__mp_main__'] = sys.modules['__main__']\n"
        "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt\n"
        "figure, axes = plt.subplots(1, 2)\n"
        "from nbdag.portable.links import covariables\n"
        "print(covariables({'figure': figure, 'axes': axes}, ['figure', 'axes']))"
    )
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[['axes', 'figure']]"
