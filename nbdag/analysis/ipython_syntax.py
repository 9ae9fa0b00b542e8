"""A cell's text -> Python that can be parsed, line by line where the user wrote it, and what the magics in it do.

A magic becomes a name that stands for it, at its place; Python-bodied magics become their body::

    %time x = f()        x = f()                       one node of IPython's, whatever statements it holds
    y = !ls {d}          y = __nbdag_magic_0__
    %%capture out        (an empty line), and `out` is bound behind the body
    df.head?             __nbdag_magic_1__

Follows IPython's own order: leading indent and prompts, the cell magic, then line by line. Not handled: input that
an extension transforms (``%load_ext``-ed input transformers).
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, field

from nbdag.analysis.defuse.tree import MAGIC_NAME
from nbdag.analysis.magic_table import (
    AUTOMAGIC,
    OTHER_LANGUAGES,
    PYTHON_BODIES,
    TIMED,
    TIMED_OPTIONS,
    Magic,
    cell_magic,
    holes,
    line_magic,
    runs_its_body,
    shell_line,
    split_options,
)
from nbdag.model.facts import Certainty, EffectKind

_SUSPICIOUS = re.compile(r"^[ \t]*[%!?,;/]|\?[ \t]*(?:#.*)?$|=[ \t]*[%!](?!=)|^[ \t]*(?:>>>|In \[\d+\]:)", re.MULTILINE)
_CLASSIC_PROMPT = re.compile(r"^(>>>|\.\.\.)( |$)")
_IPYTHON_PROMPT = re.compile(r"^(In \[\d+\]: |\s*\.{3,}: ?)")
_CELL_MAGIC = re.compile(r"%%([^\s(?]+)(.*)")
_ESCAPE = re.compile(r"[ \t]*(%%|%|!!|!|\?\?|\?|,|;|/)")
_ASSIGNED = re.compile(
    r"(?P<before>[ \t]*[^#'\"(){}\n=!<>]+(?:\[[^\n\]]*\][^#'\"(){}\n=!<>]*)?=[ \t]*)"
    r"(?P<escape>[%!])(?P<rest>(?!=)[^\n]*)"
)
_HELP = re.compile(r"(%{0,2}(?!\d)[\w*]+(?:\.\w+|\[[0-9]+\])*)(\?\??)[ \t]*$")
_TOKEN = re.compile(
    r"""(?:\"\"\"(?:[^\\]|\\.)*?(?:\"\"\"|\Z)|'''(?:[^\\]|\\.)*?(?:'''|\Z)|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)
      | \#[^\n]* | \\\n | [(\[{] | [)\]}] | \n | [^'"#\\(\[{)\]}\n]+ | \\""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(slots=True)
class Translated:
    """``text`` has the lines of the user's text. ``shifts``: line -> (from which column, how far to the right it was).

    ``single``: all statements are one node of IPython's (a cell magic). ``one_node``: lines whose statements are one
    node together. ``timed``: the statements are the body of ``%%timeit``, which is magic number ``timed``.
    """

    text: str
    shifts: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    magics: tuple[Magic, ...] = ()
    single: bool = False
    one_node: frozenset[int] = frozenset()
    timed: int | None = None
    before: tuple[int, ...] = ()  # magics of the cell itself, which act before the body
    after: tuple[int, ...] = ()  # and behind it: %%capture binds its name there
    language: str = "python"
    whole: int | None = None  # the magic that has taken the whole cell


def translate(source: str) -> Translated:
    """``source`` as Python text with stand-ins for what is not Python."""
    text = source
    bom = text.startswith("\ufeff")
    if bom:
        text = text[1:]
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    start = len(text) - len(text.lstrip(" \t\n\f"))
    indented = start > 0 and text[start - 1] in " \t"
    if not indented and not bom and not _SUSPICIOUS.search(text):
        return Translated(text)
    return _Translation(text, bom).run()


class _Translation:
    def __init__(self, text: str, bom: bool) -> None:
        self.lines = text.split("\n")
        self.shifts: dict[int, list[tuple[int, int]]] = {}
        self.magics: list[Magic] = []
        self.one_node: set[int] = set()
        if bom:
            self.shifts[1] = [(0, 1)]

    def run(self) -> Translated:
        first = self._strip_leading()
        found = Translated("")
        while first < len(self.lines):
            match = _CELL_MAGIC.match(self.lines[first])
            if match is None or match[0].rstrip().endswith("?"):
                break
            name, argument = match[1], match[2].strip()
            body = "\n".join(self.lines[first + 1 :])
            found.single = True
            if name != TIMED and name != "capture" and not runs_its_body(name, argument):
                self.lines = [""] * len(self.lines)
                found.whole = self._add(cell_magic(name, argument, body))
                found.language = OTHER_LANGUAGES.get(name, "python")
                break
            self.lines[first] = ""
            self._python_cell(name, argument, found)
            while first < len(self.lines) and not self.lines[first].strip():
                first += 1
        if found.whole is None:
            self._translate_lines(first)
        found.text = "\n".join(self.lines)
        found.shifts = {line: sorted(shifts) for line, shifts in self.shifts.items()}
        found.magics = tuple(self.magics)
        found.one_node = frozenset(self.one_node)
        return found

    def _python_cell(self, name: str, argument: str, found: Translated) -> None:
        if name == "capture":
            _, rest = split_options(argument, "")
            names = tuple((word, "") for word in re.findall(r"^\w+", rest))
            if names:
                found.after += (self._add(Magic("capture", None, binds=names)),)
        elif name == TIMED:
            _, setup = split_options(argument, TIMED_OPTIONS)
            found.timed = self._add(Magic(TIMED, None, timed=setup or None))
        elif argument and name in PYTHON_BODIES:
            _, rest = split_options(argument, PYTHON_BODIES[name])
            if rest:
                found.before += (self._add(Magic(name, None, holes(rest), opaque=name not in ("time", "prun"))),)

    # ------------------------------------------------------------------------------------------ whole lines

    def _strip_leading(self) -> int:
        """Takes prompts and a common indent away; the index of the first line with something in it."""
        lines = self.lines
        first = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
        if first == len(lines):
            return first
        indent = lines[first][: len(lines[first]) - len(lines[first].lstrip(" \t"))]
        if indent:
            for number in range(first, len(lines)):
                if lines[number].startswith(indent):
                    self._cut(number, len(indent))
        for prompt in (_CLASSIC_PROMPT, _IPYTHON_PROMPT):
            if prompt.match(lines[first]) and lines[first][:1] in ">I":
                for number in range(first, len(lines)):
                    match = prompt.match(lines[number])
                    if match:
                        self._cut(number, match.end())
        return first

    def _cut(self, number: int, width: int) -> None:
        self.lines[number] = self.lines[number][width:]
        before = self.shifts.get(number + 1, [])
        self.shifts[number + 1] = [(0, width + sum(by for _, by in before[:1]))]

    # ------------------------------------------------------------------------------------------ logical lines

    def _translate_lines(self, first: int) -> None:
        number = first
        lines = self.lines
        while number < len(lines):
            line = lines[number]
            last = number
            if _ESCAPE.match(line) or _ASSIGNED.match(line):
                while lines[last].endswith("\\") and last + 1 < len(lines):
                    last += 1
                if self._escaped(number, last):
                    number = last + 1
                    continue
            number = self._end_of_logical_line(number) + 1

    def _end_of_logical_line(self, number: int) -> int:
        """The index of the last physical line of the logical line that begins at ``number``; help is found here."""
        depth = 0
        lines = self.lines
        last = number
        line = lines[number]
        code = line
        if any(mark in line for mark in "([{)]}'\"\\#"):
            text = "\n".join(lines[number:])
            position = 0
            code_end = 0
            while position < len(text):
                match = _TOKEN.match(text, position)
                if match is None:
                    break
                token = match.group()
                position = match.end()
                if token in "([{":
                    depth += 1
                elif token in ")]}":
                    depth = max(depth - 1, 0)
                elif token == "\n":
                    if not depth:
                        position -= 1
                        break
                elif token[0] == "#":
                    continue
                code_end = position
            code = text[:code_end]
            last = number + text.count("\n", 0, position)
        if code.rstrip().endswith("?"):
            match = _HELP.search(code.split("\n")[-1])
            if match is not None:
                self._replace(number, last, self._help(match[1]), len(line) - len(line.lstrip()))
        return last

    def _help(self, target: str) -> int:
        root = re.split(r"[.\[]", target)[0]
        reads = (root,) if root.isidentifier() and "*" not in target and not target.startswith("%") else ()
        return self._add(Magic("?", "", reads, effects=((EffectKind.DISPLAY, Certainty.MUST, "?"),)))

    def _escaped(self, number: int, last: int) -> bool:
        """Translates the magic at ``number``..``last``; False if there is none after all."""
        text = self.lines[number]
        for following in self.lines[number + 1 : last + 1]:
            text = text.removesuffix("\\") + following.lstrip()
        match = _ESCAPE.match(text)
        if match is None:
            return self._assigned(number, last, text)
        escape, indent = match[1], match.start(1)
        rest = text[match.end() :]
        if escape in "?" or escape == "??":
            target = rest.strip()
            self._replace(number, last, self._help(target or "%"), indent)
        elif escape in ("!", "!!"):
            if re.search(r"\?\s*$", rest) and not rest.strip("? "):
                return False
            self._replace(number, last, self._add(shell_line(rest.strip())), indent)
        elif escape in ("%", "%%"):
            if rest.rstrip().endswith("?") and _HELP.search(rest):
                self._replace(number, last, self._help("%" + rest), indent)
                return True
            if not re.match(r"[^\W\d]|%", rest):
                return False
            name, _, argument = rest.partition(" ")
            self._line_magic(number, last, name.strip(), argument, indent, indent + len(escape) + len(name) + 1)
        else:
            return self._auto_call(number, last, escape, rest, indent)
        return True

    def _line_magic(self, number: int, last: int, name: str, argument: str, indent: int, column: int) -> None:
        body = self._python_body(name, argument)
        if body is not None:
            column += len(argument) - len(argument.lstrip())
            shift = column - indent + len(argument.strip()) - len(body)
            self._put(number, last, self.lines[number][:indent] + body, indent, shift)
            self.one_node.add(number + 1)
            return
        self._replace(number, last, self._add(self._magic(name, argument)), indent)

    @staticmethod
    def _python_body(name: str, argument: str) -> str | None:
        if name == "xdel" and argument.strip().isidentifier():
            return f"del {argument.strip()}"
        if name not in PYTHON_BODIES:
            return None
        _, body = split_options(argument.strip(), PYTHON_BODIES[name])
        return body.strip() or None

    @staticmethod
    def _magic(name: str, argument: str) -> Magic:
        if name == TIMED:
            _, body = split_options(argument, TIMED_OPTIONS)
            return Magic(TIMED, "", timed=body.strip() or None)
        return line_magic(name, argument)

    def _assigned(self, number: int, last: int, text: str) -> bool:
        match = _ASSIGNED.match(text)
        if match is None:
            return False
        before, rest = match["before"], match["rest"]
        if match["escape"] == "!":
            index = self._add(shell_line(rest.strip()))
        else:
            name, _, argument = rest.partition(" ")
            if not re.match(r"[^\W\d]", name):
                return False
            body = self._python_body(name, argument)
            if body is not None:
                self._put(number, last, before + body, len(before), len(text) - len(body) - len(before))
                return True
            index = self._add(self._magic(name, argument))
        self._put(number, last, before + self.stand_in(index), len(before), 0)
        return True

    def _auto_call(self, number: int, last: int, escape: str, rest: str, indent: int) -> bool:
        function, _, arguments = rest.strip().partition(" ")
        if not re.fullmatch(r"[\w.]+", function):
            return False
        if escape == "/":
            given = ", ".join(arguments.split())
        elif escape == ";":
            given = repr(arguments)
        else:
            given = ", ".join(repr(word) for word in arguments.split())
        self._put(number, last, f"{self.lines[number][:indent]}{function}({given})", indent, len(escape))
        return True

    # ------------------------------------------------------------------------------------------ writing

    def _add(self, magic: Magic) -> int:
        self.magics.append(magic)
        return len(self.magics) - 1

    @staticmethod
    def stand_in(index: int) -> str:
        return f"{MAGIC_NAME}{index}__"

    def _replace(self, number: int, last: int, index: int, indent: int) -> None:
        self._put(number, last, self.lines[number][:indent] + self.stand_in(index), indent, 0)

    def _put(self, number: int, last: int, text: str, column: int, shift: int) -> None:
        self.lines[number : last + 1] = [text] + [""] * (last - number)
        shifts = self.shifts.setdefault(number + 1, [])
        outer = sum(by for _, by in shifts)
        if shift:
            shifts.append((column, shift + outer))


def automagic(source: str, names: Set[str]) -> str | None:
    """``source`` with the ``%`` that IPython adds to a single line such as ``pip install x`` or ``ls``, or None."""
    line = source.strip()
    if not line or "\n" in line:
        return None
    word = re.split(r"\s", line, maxsplit=1)[0]
    rest = line[len(word) :].strip()
    if word not in AUTOMAGIC or word in names or rest.startswith(("=", "(", "[", ".", ",")):
        return None
    return "%" + line
