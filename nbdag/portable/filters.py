"""Warning filters that libraries install when they are imported: they come with the import, and are no one's wish.

    import sklearn                        # its own filter, in front: not the session's
    warnings.simplefilter("ignore")       # the session's

A filter counts as a library's if modules were loaded by the statement that it came with, and the statement's own text
speaks of no filters.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any, List, Optional

from nbdag.portable.codescan import CodeNames
from nbdag.portable.library_state import warnings_state
from nbdag.portable.namespace import word_set

FILTER_WORDS = word_set("warnings filterwarnings simplefilter resetwarnings catch_warnings")


class FilterBook:
    """Asked after every statement; costs a microsecond unless there is a new filter."""

    def __init__(self) -> None:
        self.modules = len(sys.modules)
        self.count = len(warnings.filters)
        self.known: List[Any] = warnings_state() or []
        self.of_libraries: List[Any] = []  # as warnings_state() spells them

    def after(self, code: CodeNames) -> None:
        """A statement with this code has ended."""
        modules, count = len(sys.modules), len(warnings.filters)
        if count != self.count:
            now = warnings_state() or []
            loud = FILTER_WORDS.intersection(code.attributes) or FILTER_WORDS.intersection(code.loads)
            if modules > self.modules and not loud:
                self.of_libraries += [entry for entry in now if entry not in self.known]
            self.known = now
        self.modules, self.count = modules, count

    def without(self, filters: Optional[List[Any]]) -> List[Any]:
        """Those of ``filters`` that no library installed."""
        return [entry for entry in filters or [] if entry not in self.of_libraries]
