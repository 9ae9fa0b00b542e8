"""Whether looking at values keeps them alive."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable


class Thing:
    """Something that can be watched."""


def keeps_nothing_alive(look: Callable[[object], object]) -> bool:
    """Whether ``look`` gives something, and what it was shown is gone when only that is left."""
    thing = Thing()
    watcher = weakref.ref(thing)
    found = look([thing, {"x": thing}])
    del thing
    gc.collect()
    return bool(found) and watcher() is None
