"""Every small session comes back as it was, or names what it lost."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from nbdag.model.plan import Action
from tests.fidelity.harness import play
from tests.fidelity.sessions import SESSIONS, Session

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("session", SESSIONS, ids=[session.name for session in SESSIONS])
def test_session(session: Session, tmp_path: Path) -> None:
    for package in session.needs:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    played = play(session, tmp_path)
    assert played.restored == played.live, played.stderr[-2000:]
    lost = {name for d in played.compiled.plan.decisions if d.action is Action.LOSE for name in d.names}
    assert lost == set(session.lost)
