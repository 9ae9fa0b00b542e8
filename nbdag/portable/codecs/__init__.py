"""How values that pickle does not move well are taken apart; one module per family, listed in ``registry.py``.

Each has its counterpart in ``nbdag/portable/restorers/``: what is taken apart here is put together there, on a machine
that has nothing of nbdag. ``docs/format.md`` lists the restorers: they are part of the format.
"""
