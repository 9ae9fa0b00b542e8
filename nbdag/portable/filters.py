"""Warning filters that libraries install when they are imported: they come with the import, and are no one's wish.

    import sklearn                        # its own filter, in front: not the session's
    warnings.simplefilter("ignore")       # the session's

A filter counts as a library's if modules were loaded by the statement that it came with, and the statement's own text
speaks of no filters.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any, Dict, List, Optional

from nbdag.portable.codescan import CodeNames
from nbdag.portable.library_state import warnings_state
from nbdag.portable.namespace import word_set
from nbdag.portable.process_state import filters_difference

FILTER_WORDS = word_set("warnings filterwarnings simplefilter resetwarnings catch_warnings")


class FilterBook:
    """Asked after every statement; costs a microsecond unless there is a new filter."""

    def __init__(self) -> None:
        self.modules = len(sys.modules)
        self.count = len(warnings.filters)
        self.first = first_filter()
        self.known: List[Any] = warnings_state() or []
        self.of_libraries: List[Any] = []  # as warnings_state() spells them
        self.of_the_session: List[Any] = []  # that came with a restored bundle
        self.spoken = False  # whether the session did something to them

    def after(self, code: CodeNames) -> None:
        """A statement with this code has ended."""
        modules, count, first = len(sys.modules), len(warnings.filters), first_filter()
        if count != self.count or first is not self.first:
            now = warnings_state() or []
            loud = FILTER_WORDS.intersection(code.attributes) or FILTER_WORDS.intersection(code.loads)
            if loud:
                self.spoken = True
                if now and first is not self.first:  # one that a library had, too, asked for again
                    self.of_libraries = [entry for entry in self.of_libraries if entry != now[0]]
            elif modules > self.modules:
                owned = self.known + self.of_the_session
                self.of_libraries += [entry for entry in now if entry not in owned]
            self.known = now
        self.modules, self.count, self.first = modules, count, first

    def adopt(self, changes: Dict[str, Any]) -> None:
        """A bundle with these changes of the process was restored: the filters that it has put in are the session's."""
        change = changes.get("warnings") or {}
        self.of_the_session += [*change.get("front", ()), *change.get("back", ())]
        self.of_libraries = [entry for entry in self.of_libraries if entry not in self.of_the_session]

    def change(self, before: Optional[List[Any]], after: Optional[List[Any]]) -> Dict[str, Any]:
        """{"warnings": what the session did to the filters, as ``filters_difference`` says it}, {} if it did nothing.

        Those that libraries brought are none of it, unless they are gone. The order is that of all.
        """
        before, after = before or [], after or []
        gone = [entry for entry in self.of_libraries if entry not in after]
        old = [entry for entry in before if entry not in self.of_libraries]
        found = filters_difference(old + gone, [entry for entry in after if entry not in self.of_libraries])
        if not found and not self.spoken:
            return {}
        return {"warnings": {"front": [], "back": [], "removed": [], **found, "order": after}}


def first_filter() -> Any:
    """The filter that is asked first, None if there is none."""
    return warnings.filters[0] if warnings.filters else None
