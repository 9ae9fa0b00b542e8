"""What a code object mentions: names it loads, stores and deletes, identifiers inside its strings.

A raw walk over the bytecode (two bytes per instruction since Python 3.6, caches are instructions too), because ``dis``
costs ten times as much: it runs before every statement of the session. Results are kept per code object.

    def f(): return df.query("age > @limit") + rate
        # loads df and rate; mentions age and limit in a string: a session name of that spelling counts as read

A string that is one bare word (``df["age"]``) is a label and not a mention, unless the code names an evaluator.
"""

from __future__ import annotations

import opcode
import re
import sys
import types
import weakref
from typing import Any, Dict, FrozenSet, Iterable, List, NamedTuple, Set, Tuple

from nbdag.portable.namespace import word_set

IDENTIFIER = re.compile(r"[^\W\d]\w*")
# Calling one of these may read or write any name of the session.
OPAQUE_BUILTINS: FrozenSet[str] = frozenset(
    ["globals", "locals", "vars", "exec", "eval", "get_ipython", "__import__", "__main__", "breakpoint"]
)
IPYTHON_CALLS: FrozenSet[str] = frozenset(["run_cell_magic", "run_line_magic", "magic", "system", "getoutput"])
# Magics that touch no name but those spelled in their text.
PLAIN_MAGICS: FrozenSet[str] = word_set(
    "time timeit capture prun memit mprun lprun matplotlib config load_ext reload_ext unload_ext autoreload alias "
    "alias_magic cd pwd ls ll mkdir env set_env pip conda mamba uv who whos who_ls psearch bash sh script html "
    "javascript js latex markdown svg perl ruby writefile file pinfo pinfo2 pdoc pfile psource pdef precision pprint "
    "pylab_import sx system nbdag colors xmode pdb dhist pushd popd doctest_mode gui history hist notebook page "
    "automagic autocall quickref lsmagic magic cat cp mv rm rmdir more less"
)
# Names of functions and methods that evaluate text in the caller's namespace.
EVALUATORS: FrozenSet[str] = word_set(
    "eval exec query evaluate sql sqldf execute ev ex run_cell run_line_magic run_cell_magic timeit repeat Timer "
    "runctx get_ipython from_formula dmatrix dmatrices import_module __main__"
)
CODE_OPTIMIZED = 0x0001
CODE_HAS_DOCSTRING = 0x4000000  # since Python 3.13; before, the first constant of a function is its docstring or None
OPCODES = opcode.opmap
EXTENDED_ARG = OPCODES["EXTENDED_ARG"]
GLOBAL_SHIFT = 1 if sys.version_info >= (3, 11) else 0  # LOAD_GLOBAL's lowest bit is a flag since 3.11


class CodeNames(NamedTuple):
    """``stores`` are made by the code itself, ``late_stores`` (``global x``) when a function inside it is called.

    ``loads`` and ``words`` include what functions defined inside mention, ``inner_loads`` are only those.
    """

    loads: FrozenSet[str]
    stores: FrozenSet[str]
    deletes: FrozenSet[str]
    late_stores: FrozenSet[str]
    attributes: FrozenSet[str]
    words: FrozenSet[str]
    inner_loads: FrozenSet[str]
    opaque: bool
    calls: bool


def opcode_numbers(*names: str) -> FrozenSet[int]:
    """The opcodes of this Python among ``names``."""
    return frozenset(OPCODES[name] for name in names if name in OPCODES)


LOADS = opcode_numbers("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
LOAD_GLOBALS = opcode_numbers("LOAD_GLOBAL")
STORES_HERE = opcode_numbers("STORE_NAME")
STORES_GLOBAL = opcode_numbers("STORE_GLOBAL")
DELETES = opcode_numbers("DELETE_NAME", "DELETE_GLOBAL")
SCANNED_CODE: Dict[int, Tuple[Any, CodeNames]] = {}


def scan_code(code: types.CodeType) -> CodeNames:
    """Everything ``code`` and the code nested in it mentions; kept as long as the code object lives."""
    key = id(code)
    known = SCANNED_CODE.get(key)
    if known is not None and known[0]() is code:
        return known[1]
    names = scan_code_now(code)

    def forget(reference: Any) -> None:
        entry = SCANNED_CODE.get(key)
        if entry is not None and entry[0] is reference:
            del SCANNED_CODE[key]

    SCANNED_CODE[key] = (weakref.ref(code, forget), names)
    return names


def scan_code_now(code: types.CodeType, inert: bool = False) -> CodeNames:
    """The walk itself; code nested in functions counts as loads (it may be called) and as late stores.

    ``inert``: the functions that the code defines are surely not called by it, so their code is left out.
    """
    loads: Set[str] = set()
    inner_loads: Set[str] = set()
    stores: Set[str] = set()
    deletes: Set[str] = set()
    late: Set[str] = set()
    attributes: Set[str] = set()
    strings: List[str] = []
    todo: List[Tuple[types.CodeType, bool]] = [(code, True)]
    while todo:
        current, now = todo.pop()
        walk_instructions(current, now, loads if now else inner_loads, stores, deletes, late)
        attributes.update(current.co_names)
        for index, constant in enumerate(current.co_consts):
            kind = type(constant)
            if kind is types.CodeType:
                # Class bodies and comprehensions run at once; a function when it is called.
                at_once = now and (not constant.co_flags & CODE_OPTIMIZED or constant.co_name.startswith("<"))
                at_once = at_once and constant.co_name != "<lambda>"
                if at_once or not inert:
                    todo.append((constant, at_once))
            elif kind is str:
                if not (index == 0 and is_docstring(current)):
                    strings.append(constant)
            elif kind is tuple or kind is frozenset:
                collect_strings(constant, strings)
    loads |= inner_loads
    attributes -= loads
    evaluates = not EVALUATORS.isdisjoint(loads) or not EVALUATORS.isdisjoint(attributes)
    words: Set[str] = set()
    for text in strings:
        if evaluates or not IDENTIFIER.fullmatch(text):
            words.update(IDENTIFIER.findall(text))
    return CodeNames(
        frozenset(loads),
        frozenset(stores),
        frozenset(deletes),
        frozenset(late),
        frozenset(attributes),
        frozenset(words),
        frozenset(inner_loads),
        code_is_opaque(loads, attributes, words, strings),
        bool(loads) or bool(attributes),
    )


def walk_instructions(
    code: types.CodeType, now: bool, loads: Set[str], stores: Set[str], deletes: Set[str], late: Set[str]
) -> None:
    """Add what the instructions of one code object do to global names; ``now``: it runs with its statement."""
    names = code.co_names
    raw = code.co_code
    module_level = not code.co_flags & CODE_OPTIMIZED
    class_body = module_level and code.co_name != "<module>" and not code.co_name.startswith("<cell")
    argument = 0
    for position in range(0, len(raw), 2):
        operation = raw[position]
        argument = (argument << 8) | raw[position + 1]
        if operation == EXTENDED_ARG:
            continue
        if operation in LOADS:
            if argument < len(names):
                loads.add(names[argument])
        elif operation in LOAD_GLOBALS:
            loads.add(names[argument >> GLOBAL_SHIFT])
        elif operation in STORES_HERE:
            if module_level and not class_body:
                stores.add(names[argument])
        elif operation in STORES_GLOBAL:
            (stores if now else late).add(names[argument])
        elif operation in DELETES and not class_body:
            (deletes if now else late).add(names[argument])
            loads.add(names[argument])
        argument = 0


def is_docstring(code: types.CodeType) -> bool:
    """Whether the first constant of a function is its docstring (prose mentions many words and reads none)."""
    if not code.co_flags & CODE_OPTIMIZED:
        return False
    if sys.version_info >= (3, 13):
        return bool(code.co_flags & CODE_HAS_DOCSTRING)
    return not code.co_name.startswith("<")


def collect_strings(constants: Iterable[Any], out: List[str]) -> None:
    """The strings inside constant tuples, at any depth."""
    for constant in constants:
        if type(constant) is str:
            out.append(constant)
        elif type(constant) is tuple or type(constant) is frozenset:
            collect_strings(constant, out)


def code_is_opaque(loads: Set[str], attributes: Set[str], words: Set[str], strings: List[str]) -> bool:
    """Whether the code may touch any name: ``exec`` and its kin, or IPython itself beyond magics known to be plain.

    A magic keeps its body as a string: %%time over ``exec(text)`` is as opaque as ``exec(text)``.
    """
    if "__main__" in attributes or ("__main__" in words and attributes & {"modules", "import_module"}):
        return True
    reasons = loads & OPAQUE_BUILTINS
    if reasons != {"get_ipython"}:
        return bool(reasons)
    if not attributes & IPYTHON_CALLS or words & (OPAQUE_BUILTINS - {"get_ipython"}):
        return True
    if attributes & {"run_cell_magic", "run_line_magic", "magic"}:
        return not any(text.partition(" ")[0] in PLAIN_MAGICS for text in strings) or "run" in strings
    return False
