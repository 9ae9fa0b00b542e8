"""For any value: the same dtype, layout, bytes and identity on the other side, and exactly the sharing it had."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.portable.cases.witness import describe
from tests.portable.session import Session

quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

scalars = hnp.scalar_dtypes() | hnp.byte_string_dtypes(max_len=5) | hnp.unicode_string_dtypes(max_len=5)
dtypes = scalars | hnp.array_dtypes(scalars, max_size=3)
any_bits = hnp.scalar_dtypes() | hnp.byte_string_dtypes(max_len=5)  # not every four bytes are a character
any_bits |= hnp.array_dtypes(any_bits, max_size=3)


def move(values: dict[str, Any]) -> dict[str, Any]:
    session = Session()
    session.namespace.update(values)
    with tempfile.TemporaryDirectory() as folder:
        return session.move(Path(folder), " ".join(values)).namespace


@st.composite
def views(draw: st.DrawFn) -> list[np.ndarray]:
    """An array and some views of it: slices, steps backwards, transposes, single elements."""
    array = draw(hnp.arrays(any_bits, hnp.array_shapes(min_dims=1, max_dims=3, max_side=6), fill=st.nothing()))
    found = [array]
    for _ in range(draw(st.integers(1, 4))):
        base = draw(st.sampled_from(found))
        if base.ndim and base.size:
            index = draw(hnp.basic_indices(base.shape, allow_newaxis=True, allow_ellipsis=True))
            view = base[index]
            if isinstance(view, np.ndarray):
                found.append(view.T if draw(st.booleans()) else view)
    if draw(st.booleans()):
        found[-1].flags.writeable = False
    order = draw(st.permutations(range(len(found))))
    return [found[place] for place in order]


@quick
@given(views())
def test_arrays_share_after_the_move_exactly_what_they_shared(before: list[np.ndarray]) -> None:
    names = [f"a{number}" for number in range(len(before))]
    after = move(dict(zip(names, before, strict=True)))
    found = [after[name] for name in names]
    for one, other in zip(before, found, strict=True):
        assert describe(one, loosely=True) == describe(other, loosely=True)
        assert one.dtype == other.dtype and one.shape == other.shape
        assert one.flags.writeable == other.flags.writeable
    for i, j in itertools.combinations(range(len(before)), 2):
        shared = np.shares_memory(before[i], before[j])
        assert shared == np.shares_memory(found[i], found[j])
    # Writing to one shows in the others where it did before, and nowhere else.
    for target in range(len(before)):
        if found[target].flags.writeable and found[target].size:
            place = tuple(0 for _ in found[target].shape)
            size = before[target].dtype.itemsize
            other_byte = b"\0" if before[target][place].tobytes().strip(b"\0") else b"\1"
            if size:
                for arrays in (before, found):
                    arrays[target][place] = np.frombuffer(other_byte * size, arrays[target].dtype)[0]
            assert [one.tobytes() for one in before] == [other.tobytes() for other in found]


@quick
@given(hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)), st.booleans())
def test_a_lone_array_keeps_its_layout(array: np.ndarray, fortran: bool) -> None:
    if fortran:
        array = np.asfortranarray(array)
    assert describe(move({"a": array})["a"]) == describe(array)


@quick
@given(hnp.scalar_dtypes().flatmap(hnp.from_dtype))
def test_a_scalar_keeps_its_type_and_bits(scalar: Any) -> None:
    after = move({"a": [scalar, scalar]})["a"]
    assert type(after[0]) is type(scalar) and describe(after) == describe([scalar, scalar])


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
when = st.datetimes(pd.Timestamp("1700-01-01").to_pydatetime(), pd.Timestamp("2200-01-01").to_pydatetime())
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint8": st.integers(0, 255),
    "float32": st.floats(width=32),
    "bool": st.booleans(),
    "object": st.none() | st.integers() | texts | st.lists(st.integers(), max_size=2),
    "string": st.none() | texts,
    "category": st.none() | st.sampled_from("abc"),
    "Int64": st.none() | st.integers(-(2**60), 2**60),
    "boolean": st.none() | st.booleans(),
    "Float64": st.none() | st.floats(allow_nan=False),
    "datetime64[ns]": st.none() | when,
    "datetime64[us, Europe/Paris]": st.none() | when,
    "timedelta64[ns]": st.none() | st.timedeltas(pd.Timedelta(-(10**9), "s"), pd.Timedelta(10**9, "s")),
    "period[D]": st.none() | st.dates().map(lambda day: pd.Period(day, "D")),
}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(0, 5))
    columns = []
    for dtype in draw(st.lists(st.sampled_from(sorted(COLUMNS)), max_size=6)):
        values = draw(st.lists(COLUMNS[dtype], min_size=rows, max_size=rows))
        if dtype == "datetime64[us, Europe/Paris]":
            column = pd.Series(pd.to_datetime(pd.Series(values, dtype="datetime64[us]"), utc=True)).dt.tz_convert(
                "Europe/Paris"
            )
        else:
            column = pd.Series(values, dtype=dtype)
        columns.append(column)
    frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(rows))
    frame.columns = draw(st.lists(texts | st.integers(0, 3), min_size=len(columns), max_size=len(columns)))
    if draw(st.booleans()):
        frame = frame.iloc[::-1]
    if draw(st.booleans()):
        frame.index = pd.Index(draw(st.lists(texts, min_size=rows, max_size=rows)), name=draw(st.none() | texts))
    return frame


@pytest.mark.filterwarnings("ignore")
@quick
@given(frames())
def test_a_frame_keeps_every_column_and_is_its_own(frame: pd.DataFrame) -> None:
    expected = describe(frame)
    session = {"f": frame, "s": frame.iloc[:, 0] if frame.shape[1] else 0, "g": frame.copy()}
    after = move(session)
    assert describe(after["f"]) == expected
    assert describe(after["s"]) == describe(session["s"])
    if frame.shape[1] and len(frame):
        for number in range(frame.shape[1]):
            after["f"].isetitem(number, after["f"].iloc[:, number].shift(1))
        after["f"].index = range(len(frame))
    assert describe(after["g"]) == expected and describe(after["s"]) == describe(session["s"])


@quick
@given(
    st.sampled_from(["csr", "csc", "coo", "bsr", "dia", "dok", "lil"]),
    st.sampled_from(["array", "matrix"]),
    hnp.arrays(st.sampled_from(["f8", "i4", "c8", "?"]), hnp.array_shapes(min_dims=2, max_dims=2, max_side=5)),
)
def test_a_sparse_matrix_keeps_format_dtype_and_places(form: str, how: str, dense: np.ndarray) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    value = getattr(sparse, f"{form}_{how}")(dense)
    after = move({"a": value})["a"]
    assert type(after) is type(value) and describe(after) == describe(value)
    assert after.nnz == value.nnz and (after + after).nnz == (value + value).nnz


@quick
@given(st.integers(1, 40), st.lists(st.tuples(st.integers(0, 39), st.integers(1, 5), st.integers(1, 3)), max_size=4))
def test_tensors_share_after_the_move_exactly_what_they_shared(size: int, cuts: list[tuple[int, int, int]]) -> None:
    torch = pytest.importorskip("torch")
    whole = torch.arange(float(size))
    before = [whole[first : first + length * step : step] for first, length, step in cuts if first < size]
    if cuts and len(cuts) % 2:
        before.append(whole)
    before.append(torch.ones(3))
    names = [f"t{number}" for number in range(len(before))]
    after = move(dict(zip(names, before, strict=True)))
    found = [after[name] for name in names]
    for target in range(len(before)):
        for tensors in (before, found):
            tensors[target][0] += 100
        assert [one.tolist() for one in before] == [other.tolist() for other in found]
    assert [one.stride() for one in before] == [other.stride() for other in found]
