"""Builtins and the methods of built-in types. All of them are listed, or covered by a ``*``."""

FUNCTIONS = {
    "builtins.": {
        "abs divmod len round sum ord hash id pow bool int float complex": "-> scalar",
        "str repr ascii chr format bin hex oct": "-> str",
        "bytes": "-> bytes",
        "all any callable isinstance issubclass hasattr": "-> bool",
        "range": "-> range",
        "slice": "-> slice",
        "type": "-> type",
        "list sorted": "parts -> list",
        "tuple": "parts -> tuple",
        "set frozenset": "parts -> set",
        "dict": "parts -> dict",
        "zip enumerate map filter reversed iter aiter": "parts -> iterator",
        "min max": "element",
        "next anext": "arg0 element",
        "print display help breakpoint input": "-> None",
        "bytearray memoryview": "view",
        "dir": "-> list",
        "vars getattr": "view",
        "setattr delattr": "arg0 -> None",
        "open": "-> file",
        "object": "-> object instance",
        "super staticmethod classmethod property": "view",
        "exit quit": "-> None",
        "ValueError TypeError KeyError IndexError RuntimeError Exception AssertionError StopIteration OSError "
        "NotImplementedError AttributeError ImportError FileNotFoundError ZeroDivisionError ArithmeticError "
        "LookupError NameError OverflowError UserWarning DeprecationWarning Warning BaseException SystemExit "
        "KeyboardInterrupt TimeoutError PermissionError ConnectionError UnicodeError": "parts -> exception",
    },
}

METHODS = {
    "list": {
        "append insert": "self holds -> None",
        "extend": "self holds -> None",
        "remove clear sort reverse": "self -> None",
        "pop": "self element",
        "copy": "parts -> list",
        "index count": "-> int",
    },
    "dict": {
        "update": "self holds -> None",
        "clear": "self -> None",
        "setdefault": "self holds element",
        "pop popitem": "self element",
        "get": "element",
        "keys values items": "view -> dict-view",
        "copy": "parts -> dict",
        "fromkeys": "parts -> dict",
    },
    "dict-view": {"*": "-> scalar", "isdisjoint": "-> bool"},
    "set": {
        "add update": "self holds -> None",
        "remove discard clear difference_update intersection_update symmetric_difference_update": "self -> None",
        "pop": "self element",
        "copy union difference intersection symmetric_difference": "parts -> set",
        "isdisjoint issubset issuperset": "-> bool",
    },
    "tuple": {"index count": "-> int"},
    "str": {
        "split rsplit splitlines partition rpartition": "-> list",
        "encode": "-> bytes",
        "startswith endswith isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable "
        "isspace istitle isupper": "-> bool",
        "find index rfind rindex count": "-> int",
        "maketrans": "-> dict",
        "*": "-> str",
    },
    "bytes": {"decode hex": "-> str", "split rsplit splitlines partition": "-> list", "*": "-> bytes"},
    "int float complex bool scalar None ellipsis range slice type": {"*": "-> scalar"},
    "generator": {"send throw close": "self"},
    "file": {
        "read readline": "self -> str",
        "readlines": "self -> list",
        "write writelines seek truncate close flush": "self -> int",
        "tell fileno": "-> int",
        "readable writable seekable isatty": "-> bool",
    },
    "exception": {"with_traceback add_note": "self same"},
}

ATTRIBUTES = {
    "file": {"name mode encoding": "str", "closed": "bool"},
    "exception": {"args": "tuple"},
    "int float complex bool scalar": {"real imag": "scalar"},
    "range": {"[]": "int"},
    "str": {"[]": "str"},
}

OTHER_VERSIONS = frozenset(("builtins.display",))
"""IPython puts it there."""
