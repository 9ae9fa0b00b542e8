"""Lets a checkout run without installing nbdag itself: ``python cli.py analyze notebook.ipynb``."""

import sys
from pathlib import Path

ENVIRONMENT_REFUSED = 4


def refuse(message):  # type: ignore[no-untyped-def]
    """End with one line and a hint; no annotations, for Pythons that know none of ours."""
    sys.stderr.write("nbdag: " + message + "\n")
    sys.exit(ENVIRONMENT_REFUSED)


if sys.version_info < (3, 10):  # noqa: UP036
    refuse("needs Python 3.10 or later, and this is " + sys.version.split()[0] + "\n  hint: python3.12 cli.py ...")

sys.path.insert(0, str(Path(__file__).resolve().parent))

try:
    from nbdag.cli import main
except ModuleNotFoundError as error:
    if (error.name or "").startswith("nbdag"):
        raise
    refuse(f"this Python has no {error.name}\n  hint: `make demo` installs what nbdag needs into .venv")

if __name__ == "__main__":
    main()
