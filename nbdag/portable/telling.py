"""What restore.py says: messages on stderr, the table of what came back, and the same as JSON."""

from __future__ import annotations

import sys
from typing import Any, Dict, List, Sequence, Tuple

from nbdag.portable.outcomes import EXIT_COMPLETE, EXIT_PARTIAL
from nbdag.portable.serving import announce


def say(text: str) -> None:
    """One message on stderr; in a kernel that still starts, with its first cell as well."""
    if "IPython" in sys.modules:
        announce("nbdag: " + text)
    if sys.stderr is not None:
        sys.stderr.write("nbdag: " + text + "\n")
        sys.stderr.flush()


def size_of_group(group: Dict[str, Any]) -> int:
    """The stored bytes of a group."""
    parts = [group["head"], *group["regions"]]
    return sum(len(part) if isinstance(part, bytes) else part["size"] for part in parts)


def bytes_needed(data: Dict[str, Any], groups: Sequence[int], eager: bool) -> Tuple[int, int]:
    """How much these groups take at least: of memory that belongs to this process alone, and mapped from files."""
    private, mapped = 0, 0
    for number in groups:
        group = data["groups"][number]
        if isinstance(group["head"], dict):
            private += group["head"]["size"]
        for part in group["regions"]:
            if isinstance(part, dict):
                if eager or "codec" in part:
                    private += part["size"]
                else:
                    mapped += part["size"]
    return private, mapped


def size_text(size: float) -> str:
    """``12.4 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return ("%d %s" if unit == "bytes" else "%.1f %s") % (size, unit)
        size /= 1000
    return ""


def shortened(names: Sequence[str]) -> str:
    """The first names of many."""
    return ", ".join(names[:8]) + (" and %d more" % (len(names) - 8) if len(names) > 8 else "")


def summary(restoration: Any, seconds: float, title: str) -> List[str]:
    """The table for people."""
    total = len(restoration.loaded) + len(restoration.replayed) + len(restoration.lost)
    restored = total - len(restoration.lost)
    lines = ["restored %d of %d variables%s in %.2f s" % (restored, total, title, seconds)]
    if restoration.loaded:
        lines.append(
            "  loaded   %4d  %s (%s)"
            % (len(restoration.loaded), shortened(restoration.loaded), size_text(restoration.loaded_bytes))
        )
    if restoration.replayed:
        lines.append("  replayed %4d  %s" % (len(restoration.replayed), shortened(restoration.replayed)))
    if restoration.lost:
        lines.append("  lost     %4d" % len(restoration.lost))
    said = [(name, reason) for name, reason in restoration.lost.items()]
    said += [
        (name, "replayed (could not be loaded: %s)" % restoration.instead[name]) for name in sorted(restoration.instead)
    ]
    by_reason: Dict[str, List[str]] = {}
    for name, reason in said:
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        lines.append("    %s: %s" % (shortened(names), reason))
    lines += ["  note: " + note for note in restoration.notes]
    return lines


def report(restoration: Any, seconds: float, data: Dict[str, Any], options: Any) -> None:
    """The summary on stderr, or JSON on stdout."""
    if options.json:
        print_document(
            {
                "format": "nbdag-restoration",
                "version": 1,
                "status": EXIT_PARTIAL if restoration.lost else EXIT_COMPLETE,
                "loaded": restoration.loaded,
                "replayed": restoration.replayed,
                "lost": restoration.lost,
                "instead": restoration.instead,
                "notes": restoration.notes,
                "seconds": round(seconds, 6),
            }
        )
    else:
        notebook = (data.get("provenance") or {}).get("notebook") or ""
        say("\n".join(summary(restoration, seconds, " of " + str(notebook) if notebook else "")))
    if options.verbose:
        for cell, text in restoration.output:
            say("output of %s:\n%s" % (cell, text.rstrip("\n")))
        for text in restoration.tracebacks:
            say(text.rstrip("\n"))


def print_document(document: Dict[str, Any]) -> None:
    """One JSON document on stdout."""
    import json

    print(json.dumps(document, indent=2))
