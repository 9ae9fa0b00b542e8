"""What a library's own pickle leaves out or copies is the session's all the same; else the proof sees it."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbdag.portable import witness
from nbdag.portable.digest import digest
from nbdag.portable.fingerprint import fingerprint
from nbdag.replay.verify import DETACHED, DIFFERENT, IDENTICAL, Testimony, compare
from tests.portable.session import Session


@pytest.fixture
def library() -> Iterator[types.ModuleType]:
    """A module that no list knows, with a class that leaves out ``link`` where it is pickled."""
    module = types.ModuleType("somelib")
    sys.modules["somelib"] = module
    exec(
        "class Keeper:\n"
        "    def __init__(self, kept, link): self.kept, self.link, self._cache, self.made = kept, link, {1: 2}, 7.5\n"
        "    def __getstate__(self): return {'kept': self.kept, '_cache': {}, 'made': None}\n"
        "    def __setstate__(self, state): self.__dict__.update(state, link=list(state['kept']))\n",
        module.__dict__,
    )
    yield module
    del sys.modules["somelib"]


# ------------------------------------------------------------------------------------------------ stored whole


def test_a_polynomial_goes_on_sharing_its_coefficients(tmp_path: Path) -> None:
    session = Session().run("from numpy.polynomial import Polynomial", "p = Polynomial([1.0, 2.0]); c = p.coef")
    after = session.move(tmp_path, "p c")
    assert after["p"].coef is after["c"] and after["p"](3) == 7.0
    assert sorted(vars(after["p"])) == sorted(vars(session["p"]))  # and no domain of its own
    assert after["p"].domain is type(after["p"]).domain


def test_what_the_library_has_under_a_name_is_the_librarys(tmp_path: Path) -> None:
    patsy = pytest.importorskip("patsy.desc")
    session = Session().run("from patsy.desc import INTERCEPT, Term", "terms = [INTERCEPT, Term([])]")
    terms = session.move(tmp_path, "terms")["terms"]
    assert terms[0] is patsy.INTERCEPT and terms[1] is not patsy.INTERCEPT and terms[1] == terms[0]


FORMULA = """
import numpy as np
from statsmodels.formula.api import ols
x = np.linspace(0, 20, 50); y = 5 + 0.5 * x + 0.1 * np.cos(99 * x)
def bent(values): return values ** 2
data = {"x": x, "y": y}
"""


def environments(result: object) -> list[dict[str, object]]:
    """The names that patsy keeps for the factors of a model."""
    data = result.model.data  # type: ignore[attr-defined]
    spec = getattr(data, "model_spec", None) or data.design_info
    return [space for info in spec.factor_infos.values() for space in info.state["eval_env"]._namespaces]


@pytest.mark.filterwarnings("ignore")
def test_a_formula_keeps_the_arrays_of_the_session(tmp_path: Path) -> None:
    pytest.importorskip("statsmodels")
    session = Session().run(FORMULA, "res = ols('y ~ x + bent(x)', data=data).fit()")
    first = digest(session["res"], session.namespace)
    after = session.move(tmp_path, "res x y data", "def bent(values): return values ** 2", "bent")
    held = [space["x"] for space in environments(after["res"]) if "x" in space]
    assert held and all(one is after["x"] for one in held)
    assert {id(space["bent"]) for space in environments(after["res"]) if "bent" in space} == {id(after["bent"])}
    assert digest(after["res"], after.namespace) == first
    session.run("said = list(res.predict({'x': x[:3]}))")
    after.run("said = list(res.predict({'x': x[:3]}))")
    assert after["said"] == session["said"]


@pytest.mark.filterwarnings("ignore")
def test_the_proof_sees_a_formula_that_holds_a_copy(tmp_path: Path) -> None:
    pytest.importorskip("statsmodels")
    session = Session().run(FORMULA, "res = ols('y ~ x', data=data).fit()")
    first = digest(session["res"], session.namespace)
    for space in environments(session["res"]):
        if "x" in space:
            space["x"] = space["x"].copy()  # type: ignore[attr-defined]
    assert digest(session["res"], session.namespace) != first


def test_the_names_of_a_formula_may_be_the_session_itself(tmp_path: Path) -> None:
    pytest.importorskip("patsy")
    session = Session().run("import patsy", "x = [1, 2]; e = patsy.EvalEnvironment.capture()")
    after = session.move(tmp_path, "e")
    assert all(space is after.namespace for space in after["e"]._namespaces) and len(after["e"]._namespaces) == 2


COUNTS = """
import numpy as np, statsmodels.api as sm
g = np.random.default_rng(0); X = sm.add_constant(g.normal(size=(200, 2)))
y = g.poisson(np.exp(0.3 + 0.2 * X[:, 1]))
res = sm.NegativeBinomial(y, X).fit(disp=0); m = res.model
"""


@pytest.mark.filterwarnings("ignore")
def test_a_fitted_model_of_counts_is_as_it_was_and_saving_changes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("statsmodels")
    session = Session().run(COUNTS)
    before = dict(session["res"].mle_settings)
    assert before["callback"] is not None
    after = session.move(tmp_path, "res m")
    digest(session["res"], session.namespace)
    assert session["res"].mle_settings == before
    assert (after["m"]._transparams, session["m"]._transparams) == (False, False)
    assert after["res"].model is after["m"] and callable(after["m"].score) and after["m"].score.__self__ is after["m"]


def test_a_memory_of_joblib_knows_when_it_was_made(tmp_path: Path) -> None:
    pytest.importorskip("joblib")
    session = Session().run("import joblib; m = joblib.Memory(None)")
    assert session.move(tmp_path, "m")["m"].timestamp == session["m"].timestamp


def test_a_class_of_the_notebook_has_the_last_word(tmp_path: Path) -> None:
    cell = (
        "from numpy.polynomial import Polynomial\n"
        "class Own(Polynomial):\n    def __getstate__(self): return {'coef': self.coef * 2}"
    )
    session = Session().run(cell, "p = Own([1.0, 2.0])")
    assert list(session.move(tmp_path, "p", cell, "Own")["p"].coef) == [2.0, 4.0]


HOLOVIEWS = """
class LabelledData:
    def __init__(self): self._id, self._pipeline = None, ["made"]
    def __getstate__(self): return {"_id": None, "_pipeline": []}
    @property
    def id(self): return self._id
    @id.setter
    def id(self, number):
        if self._id is not None: Store._custom_options["agg"].pop(self._id)
        self._id = number
class Store: _custom_options = {"agg": {}}
class StoreOptions: id_offset = staticmethod(lambda: max(Store._custom_options["agg"], default=-1) + 1)
"""


@pytest.mark.parametrize("taken", [False, True])
def test_a_plot_keeps_its_options(tmp_path: Path, taken: bool) -> None:
    modules = {name: types.ModuleType(name) for name in ("holoviews", "holoviews.core", "holoviews.core.options")}
    core = modules["holoviews.core.options"]
    exec(HOLOVIEWS, core.__dict__)
    sys.modules.update(modules)
    try:
        session = Session().run("from holoviews.core.options import *", "p = LabelledData(); p.id = 0; q = p")
        core.Store._custom_options["agg"][0] = ["red"]
        first, index = digest(session["p"], {}), session.encode(tmp_path, "p q")
        core.Store._custom_options["agg"] = {0: ["of another"]} if taken else {}
        from nbdag.portable.decode import Loading
        from tests.portable.session import as_in_bundle

        after = Loading(str(tmp_path), {}).load(as_in_bundle(index))
        assert after["p"] is after["q"] and after["p"]._pipeline == ["made"]
        assert core.Store._custom_options["agg"][after["p"].id] == ["red"]
        assert core.Store._custom_options["agg"].get(0) == (["of another"] if taken else ["red"])
        assert digest(after["p"], {}) == first
        core.Store._custom_options["agg"][after["p"].id] = ["blue"]
        assert digest(after["p"], {}) != first
    finally:
        for name in modules:
            del sys.modules[name]


NENGO = """
import random
class Table:
    def __init__(self): self.of = {}
class FrozenObject:
    tau = Table()
    def __init__(self, tau): self._paramdict = {"tau": FrozenObject.tau}; FrozenObject.tau.of[id(self)] = tau
    def __getstate__(self): return {"tau": FrozenObject.tau.of[id(self)]}
    def __setstate__(self, state): FrozenObject.__init__(self, state["tau"])
class SignalDict(dict):
    def __setitem__(self, key, value): self[key][:] = value
class Simulator:
    def __init__(self, model):
        self.model, self.signals, self.rng, self.probed = model, SignalDict(), random.Random(model["seed"]), []
        dict.__setitem__(self.signals, "x", [0.0])
        def step(into=self.signals["x"], rng=self.rng): into[0] += rng.random()
        self._steps, self._n_steps = [step], 0
    def __getstate__(self): return {"model": self.model, "signals": dict(self.signals), "probed": self.probed}
    def __setstate__(self, state):
        self.__init__(state["model"])
        self.signals["x"] = state["signals"]["x"]
        self.probed.extend(state["probed"])
    def run(self, steps):
        for _ in range(steps):
            self._steps[0](); self._n_steps += 1; self.probed.append(self.signals["x"][0])
"""


@pytest.fixture
def nengo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """A library that keeps and loses what nengo does, in a file: functions made inside are made of its text."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "nengo.py").write_text(NENGO, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "library"))
    monkeypatch.delitem(sys.modules, "nengo", raising=False)
    yield importlib.import_module("nengo")
    del sys.modules["nengo"]


def test_a_simulator_goes_on_where_it_was(tmp_path: Path, nengo: types.ModuleType) -> None:
    session = Session().run("from nengo import *", "sim = Simulator({'seed': 3}); sim.run(4); x = sim.signals['x']")
    first = digest(session["sim"], session.namespace)
    after = session.move(tmp_path, "sim x")
    assert digest(after["sim"], after.namespace) == first and after["sim"].signals["x"] is after["x"]
    for one in (session, after):
        one.run("sim.run(3)")
    assert len(after["sim"].probed) == after["sim"]._n_steps == 7
    assert after["sim"].probed == session["sim"].probed and after["x"] == session["x"]


def test_the_items_of_a_container_taken_whole_are_seen(nengo: types.ModuleType) -> None:
    session = Session().run("from nengo import *", "sim = Simulator({'seed': 3}); signals = sim.signals")
    looks = [fingerprint(session["signals"]) for _ in range(2)]
    said = digest(session["signals"], session.namespace)
    session.run("signals['x'] = [1.5]")
    assert looks[0] == looks[1] != fingerprint(session["signals"])
    assert said != digest(session["signals"], session.namespace)


def test_parameters_in_tables_of_a_class_are_compared_by_their_values(tmp_path: Path, nengo: types.ModuleType) -> None:
    """The live session may have had more of them than the one that is restored."""
    session = Session().run("from nengo import FrozenObject", "spare = FrozenObject(0.5); neuron = FrozenObject(0.02)")
    first = digest(session["neuron"], session.namespace)
    after = session.move(tmp_path, "neuron")
    assert nengo.FrozenObject.tau.of[id(after["neuron"])] == 0.02
    assert digest(after["neuron"], after.namespace) == first
    nengo.FrozenObject.tau.of[id(after["neuron"])] = 0.03
    assert digest(after["neuron"], after.namespace) != first


# ------------------------------------------------------------------------------------------------ rows of one table


def test_far_rows_of_one_array_stay_parts_of_one_array(tmp_path: Path) -> None:
    session = Session().run("import numpy as np; t = np.arange(200_000.0).reshape(200, 1000)")
    session.run("low, high = t[4], t[190]; part = high[2:]; del t")
    index = session.encode(tmp_path, "low high part")
    assert sum(region.get("size", 0) or len(region["inline"]) for region in index["regions"]) < 30_000
    after = session.move(tmp_path, "low high part")
    for name in ("low", "high", "part"):
        assert (after[name] == session[name]).all()
    said = witness.testify(after.namespace, ["low", "high", "part"])
    assert said["shared"] == [["high", "low", "part"]]
    after["part"][0] = -1
    assert after["high"][2] == -1 and after["low"][2] == 4002


# ------------------------------------------------------------------------------------------------ seen by the proof


def verdicts(before: Session, after: Session, names: list[str]) -> dict[str, str]:
    live, there = (Testimony.parse(witness.testify(session.namespace, names)) for session in (before, after))
    return {found.name: found.result for found in compare(live, there, names)}


def test_what_a_pickle_leaves_out_is_seen_to_be_other(tmp_path: Path, library: types.ModuleType) -> None:
    session = Session().run("from somelib import Keeper", "k = Keeper([1], [2])")
    assert verdicts(session, session.move(tmp_path, "k"), ["k"]) == {"k": DIFFERENT}
    session.run("k.link = [1]")  # what loading it makes of it
    assert verdicts(session, session.move(tmp_path, "k"), ["k"]) == {"k": IDENTICAL}


def test_a_link_that_is_lost_inside_a_group_is_seen(tmp_path: Path) -> None:
    """All three are one group on both sides; ``a`` and ``c`` share a list on one side only."""
    cell = "x, y = [1], [2]; a = [x]; b = [x, y]; c = [y]; d = [a]"
    before = Session().run(cell + "; a.append(y)")
    after = Session().run(cell + "; a.append([2])\nb = [a[0], y]")
    names = ["a", "b", "c"]
    assert [sorted(witness.testify(s.namespace, names)["shared"]) for s in (before, after)] == [[names], [names]]
    assert verdicts(before, after, names) == {"a": DETACHED, "b": IDENTICAL, "c": DETACHED}
    assert verdicts(before, before, names) == dict.fromkeys(names, IDENTICAL)


# ------------------------------------------------------------------------------------------------ watched


@pytest.mark.filterwarnings("ignore")
def test_looking_at_a_model_changes_nothing_and_sees_its_formula() -> None:
    pytest.importorskip("statsmodels")
    session = Session().run(COUNTS, FORMULA, "f = ols('y ~ x', data=data).fit(); import patsy")
    session.run("e = patsy.EvalEnvironment.capture()")
    looks = [[fingerprint(session[name]) for name in ("res", "f", "e")] for _ in range(2)]
    assert looks[0] == looks[1] and session["res"].mle_settings["callback"] is not None
    session.run("other = 5")
    assert fingerprint(session["e"]) == looks[0][2]  # what is new in the session is no change of it
    next(space for space in environments(session["f"]) if "x" in space)["x"] = 1
    assert fingerprint(session["f"]) != looks[0][1]


def test_a_frame_that_copies_on_write_shares_nothing_that_counts(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", minversion="3")
    assert pandas
    cell = "import pandas as pd; df = pd.DataFrame({'a': [1.0, 2.0]}); a = df['a']; link = [df]; both = [link, a]"
    session = Session().run(cell)
    names = ["df", "a", "link", "both"]
    after = session.move(tmp_path, " ".join(names))
    assert verdicts(session, after, names) == dict.fromkeys(names, IDENTICAL)


# ----------------------------------------------------------------------------------------- what the proof may not do


def test_a_matrix_of_patsy_is_compared_by_its_numbers() -> None:
    patsy = pytest.importorskip("patsy")
    one, other = (patsy.dmatrix("x", {"x": [1.0, last]}) for last in (2.0, 3.0))
    assert digest(one, {}) != digest(other, {}) and digest(one, {}) == digest(patsy.dmatrix("x", {"x": [1.0, 2.0]}), {})


def test_what_a_state_copies_is_told_once_and_not_level_by_level() -> None:
    module = types.ModuleType("somelib")
    sys.modules["somelib"] = module
    try:
        exec(
            "calls = []\n"
            "class Node:\n"
            "    def __init__(self, child): self.child = child\n"
            "    def copy(self): return Node(self.child and self.child.copy())\n"
            "    def __getstate__(self): calls.append(1); return {'n': 1, 'child': self.child and self.child.copy()}\n"
            "chain = None\n"
            "for _ in range(12): chain = Node(chain)\n",
            module.__dict__,
        )
        digest(module.chain, {})
        assert len(module.calls) < 40
    finally:
        del sys.modules["somelib"]


def test_a_member_of_a_group_that_was_not_asked_for_is_missed_by_nobody() -> None:
    cell = "xs = [1]\ndef f(v, log=xs): log.append(v)\na, b = [xs], [xs]"
    live, there = (Session().run(cell) for _ in range(2))
    said = Testimony.parse(witness.testify(live.namespace, ["a", "b", "f"]))
    restored = Testimony.parse(witness.testify(there.namespace, ["a", "b"]))
    assert {found.result for found in compare(said, restored, ["a", "b"])} == {IDENTICAL}


@pytest.mark.parametrize("release", ["0+unknown", None])
def test_a_stand_in_for_pandas_spoils_nothing(release: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("pandas")
    if release:
        module.__version__ = release  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pandas", module)
    assert witness.testify({"__name__": "__main__", "x": 1}, ["x"])["copies_on_write"] is False
