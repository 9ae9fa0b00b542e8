"""Every case of the matrix within this environment: the witness says the same before and after, and the check holds."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from nbdag.portable.decode import Loading
from nbdag.portable.restorers.tensors import restore_tensor, restore_tensor_memory
from tests.portable.cases.codecs import CASES, Case
from tests.portable.cases.definitions import DEFINITIONS
from tests.portable.cases.witness import describe, first_difference
from tests.portable.session import Session, as_in_bundle


def test_tensors_of_a_device_that_is_not_here_come_back_in_memory_and_that_is_said(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    loading = Loading(str(tmp_path), {})
    memory = restore_tensor_memory(loading, bytearray(8), "cuda:97")
    tensor = restore_tensor(loading, memory, torch.float32, (2,), (1,), 0, True, (False, False), torch.Tensor, False)
    assert tensor.device.type == "cpu" and tensor.requires_grad and tensor.tolist() == [0, 0]
    assert "cuda:97" in loading.take_notes()[0]


def test_a_computed_tensor_says_that_its_graph_is_gone(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    session = Session().run("import torch; w = torch.ones(3, requires_grad=True); v = (w * 2).sum()")
    index = session.encode(tmp_path, "v w")
    loading = Loading(str(tmp_path), {})
    values = loading.load(as_in_bundle(index))
    assert values["v"].item() == 6 and values["v"].requires_grad and values["w"].is_leaf
    assert "backward" in loading.take_notes()[0]


def label(case: Case) -> str:
    return f"{case.library.partition(' ')[0]} {case.name}".strip()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", [*CASES, *DEFINITIONS], ids=label)
def test_a_value_comes_back_as_it_was(case: Case, tmp_path: Path) -> None:
    session = Session()
    for name in case.library.split():
        module = (
            importlib.import_module(name) if name in ("numpy", "pandas", "scipy.sparse") else pytest.importorskip(name)
        )
        session.namespace[name.partition(".")[0]] = importlib.import_module(name.partition(".")[0])
        version = tuple(int(part) for part in getattr(module, "__version__", "99").split("+")[0].split(".")[:2])
        if version < case.since and name == case.library.split()[0]:
            pytest.skip(f"{name} {version} knows no such value")
    try:
        session.run(case.make)
    except SyntaxError:
        pytest.skip("this Python cannot compile it")
    names = [name for name in ("v", "w") if name in session.namespace]
    before = describe([session[name] for name in names]) if case.same else None
    after = session.move(tmp_path, " ".join(names))
    for name in case.library.split():
        after.namespace[name.partition(".")[0]] = session[name.partition(".")[0]]
    if case.same:
        assert not first_difference(before, describe([after[name] for name in names]))
        assert not first_difference(before, describe([session[name] for name in names])), "encoding changed the value"
    after.run(case.check or "pass")
