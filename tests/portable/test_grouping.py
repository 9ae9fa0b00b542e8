"""A partition that is kept up to date is the one that comparing everything again would give."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdag.portable import grouping
from nbdag.portable.grouping import Grouping
from nbdag.portable.links import Reach, group

reaches = st.builds(
    lambda ids, extents: Reach(tuple(sorted(ids)), tuple(sorted(extents)), frozenset(), ()),
    st.sets(st.integers(1, 12), max_size=4),
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(1, 6), st.booleans()).map(lambda e: (e[0], e[0] + e[1], e[2])),
        max_size=2,
    ),
)
steps = st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.none() | reaches, max_size=4), max_size=8)


@pytest.mark.parametrize("indexed", [0, 2, 256])
@given(steps=steps)
@settings(deadline=None, max_examples=200)
def test_any_series_of_changes_leads_to_the_groups_of_what_is_there(
    indexed: int, steps: list[dict[str, Reach | None]]
) -> None:
    found = Grouping()
    now: dict[str, Reach] = {}
    before = grouping.INDEXED
    grouping.INDEXED = indexed
    try:
        for changed in steps:
            for name, reach in changed.items():
                if reach is None:
                    now.pop(name, None)
                else:
                    now[name] = reach
            found.update(changed)
            expected = tuple(tuple(members) for members in group(now) if len(members) > 1)
            assert found.groups == expected
            assert found.linked == {name: frozenset(members) for members in expected for name in members}
    finally:
        grouping.INDEXED = before
    found.update(dict.fromkeys(now))
    assert not (found.holders or found.large or found.mapped or found.linked or found.reaches)
