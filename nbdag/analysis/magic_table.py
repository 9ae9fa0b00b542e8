"""What IPython's magics do, by name: the plain Python that does the same, and the effects.

A magic that is in no table is opaque: extensions may do anything.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from nbdag.analysis.wordlist import words
from nbdag.model.facts import Certainty, EffectKind

MUST, MAY = Certainty.MUST, Certainty.MAY
Effects = tuple[tuple[EffectKind, Certainty, str], ...]

# Magics whose body is Python that runs in the user's namespace: options that take a value, to be left out.
PYTHON_BODIES = {
    "time": "",
    "prun": "lsTD",
    "memit": "rt",
    "mprun": "fT",
    "lprun": "fmDTsuz",
    "snakeviz": "fh",
    "pyinstrument": "",
    "scalene": "",
    "heat": "o",
    "memoize": "",
    "cached": "",
}


def runs_its_body(name: str, argument: str) -> bool:
    """Whether the body of a cell magic is Python of the session: ``%%nbdag on gpu`` runs it as if it had run here."""
    return name in PYTHON_BODIES or (name == "nbdag" and argument.split()[:1] == ["on"])


TIMED = "timeit"
TIMED_OPTIONS = "nrpv"

OTHER_LANGUAGES = {
    "bash": "bash", "sh": "sh", "script": "script", "perl": "perl", "ruby": "ruby", "cmd": "cmd",
    "powershell": "powershell",
    "python": "python", "python2": "python", "python3": "python", "pypy": "python", "system": "bash", "sx": "bash",
    "!": "bash", "html": "html", "HTML": "html", "markdown": "markdown", "latex": "latex", "svg": "svg", "SVG": "svg",
    "javascript": "javascript", "js": "javascript", "writefile": "text", "file": "text", "R": "R", "sql": "sql",
    "julia": "julia", "cython": "cython", "bigquery": "sql", "mermaid": "mermaid", "dot": "dot", "octave": "octave",
    "rust": "rust", "cpp": "cpp", "css": "css", "duckdb": "sql", "fortran": "fortran", "stata": "stata",
}  # fmt: skip
_SHOWN = words("html HTML markdown latex svg SVG javascript js mermaid dot css")
_SHELLS = words("bash sh script perl ruby cmd powershell python python2 python3 pypy system sx !")

_NOTHING = words(
    "matplotlib load_ext reload_ext unload_ext autoreload config alias unalias alias_magic lsmagic magic quickref "
    "pinfo pinfo2 pdoc pdef psource pfile doctest_mode logstart logstop logon logoff logstate notebook page pprint "
    "xmode colors gui dhist bookmark rehashx tb automagic autocall autoawait clear cls connect_info qtconsole profile "
    "history hist who whos who_ls psearch killbgscripts dirs nbdag precision watermark version_information "
    "code_wrap subshell"
)
_DATABASES = words("sql bigquery duckdb")
_PROGRAMS = words(
    "ls ll dir cat less more man mkdir rm cp mv rmdir lf lk ldir lx grep head tail touch wget curl git tree"
)
_INSTALLERS = words("pip conda mamba micromamba uv poetry")
AUTOMAGIC = _INSTALLERS | _PROGRAMS | words("cd pwd who whos matplotlib env time timeit run load_ext")

_HOLE = re.compile(r"\$\{[^{}\n]*\}|\{(?P<expr>[^{}\n]+)\}|\$\$|\$(?P<name>[A-Za-z_]\w*(?:\.\w+)*)")
_WORD = re.compile(r"(?<![\w.])[^\W\d]\w*")
_KEYWORDS = words("if else for in not and or is None True False lambda await")


@dataclass(frozen=True, slots=True)
class Magic:
    """A magic, shell or help line. ``python`` is what does the same on a plain Python: "" nothing, None impossible."""

    name: str
    python: str | None = None
    reads: tuple[str, ...] = ()
    binds: tuple[tuple[str, str], ...] = ()  # names, and what they stand for ("numpy", or "" for unknown)
    effects: Effects = ()
    opaque: bool = False
    gives: str = ""
    timed: str | None = None  # Python that runs in a function of its own, any number of times
    text: str = ""  # text of another language that may name what the session holds


def holes(text: str) -> tuple[str, ...]:
    """The names that IPython fills in for ``$name`` and ``{expression}`` in the text of a magic or a shell line."""
    found: list[str] = []
    for match in _HOLE.finditer(text):
        if match["name"]:
            found.append(match["name"].split(".")[0])
        elif match["expr"]:
            expression = re.sub(r"""'[^']*'|"[^"]*\"""", "", match["expr"])
            found.extend(word for word in _WORD.findall(expression) if word not in _KEYWORDS)
    return tuple(dict.fromkeys(found))


def filled(text: str) -> str:
    """A Python expression for ``text`` with its holes filled in."""
    if not _HOLE.search(text):
        return repr(text)

    def hole(match: re.Match[str]) -> str:
        if match["expr"]:
            return "{" + match["expr"] + "}"
        return "{" + match["name"] + "}" if match["name"] else "$" if match[0] == "$$" else match[0]

    return "f" + repr(_HOLE.sub(hole, text))


def split_options(text: str, valued: str) -> tuple[str, str]:
    """Leading ``-x`` options of a magic line, and the rest; ``valued`` options are followed by a value."""
    rest, options = text.lstrip(), []
    while match := re.match(r"-(-[\w-]+|\w)(\S*)\s*", rest):
        options.append(match.group().strip())
        rest = rest[match.end() :]
        if match[1] in tuple(valued) and not match[2]:
            value = re.match(r"\S+\s*", rest)
            rest = rest[value.end() :] if value else ""
    return " ".join(options), rest


def shell_line(command: str) -> Magic:
    """``!command``."""
    effects: Effects = ((EffectKind.PROCESS, MUST, "!" + command.split(maxsplit=1)[0] if command.split() else "!"),)
    if re.match(r"\s*(pip3?|conda|mamba|wget|curl|git\s+clone|apt(-get)?|npm|kaggle|gsutil|aws)\b", command):
        effects += ((EffectKind.NETWORK, MAY, command.split(maxsplit=1)[0]),)
    return Magic("!", None, holes(command), effects=effects, gives="list")


def line_magic(name: str, argument: str) -> Magic:
    """``%name argument``; Python-bodied magics are not handled here."""
    handler = _LINES.get(name)
    if handler is not None:
        return handler(argument.strip())
    reads = holes(argument)
    if name in _NOTHING:
        effects: Effects = ()
        if name == "config":
            effects = ((EffectKind.CONFIG, MAY, "%config"),)
        elif name in ("who", "whos", "history", "hist", "pinfo", "pinfo2", "psource", "lsmagic"):
            effects = ((EffectKind.DISPLAY, MUST, "%" + name),)
        return Magic(name, "", reads, effects=effects)
    if name in _INSTALLERS:
        return Magic(
            name, None, reads, effects=((EffectKind.PROCESS, MUST, "%" + name), (EffectKind.NETWORK, MAY, "%" + name))
        )
    if name in _PROGRAMS:
        return Magic(name, None, reads, effects=((EffectKind.PROCESS, MUST, "%" + name),), gives="list")
    if name in _DATABASES:
        found = re.match(r"\s*(\w+)\s*<<", argument)
        binds = ((found[1], ""),) if found else ()
        return Magic(
            name, None, reads, binds, ((EffectKind.NETWORK, MAY, "%" + name),), opaque=True, gives="", text=argument
        )
    if name == "R":
        return _other_side(name, argument, reads)
    return Magic(name, None, reads, opaque=True)


def _other_side(name: str, argument: str, reads: tuple[str, ...]) -> Magic:
    """``%%R -i frame,n -o result``: names handed to another interpreter and taken from it."""

    def listed(*options: str) -> list[str]:
        found = re.findall(rf"(?:^|\s)(?:{'|'.join(options)})[\s=]+([\w,]+)", argument)
        return [word for words in found for word in words.split(",") if word.isidentifier()]

    given = tuple(dict.fromkeys((*reads, *listed("-i", "--input"))))
    taken = tuple((word, "") for word in listed("-o", "--output"))
    return Magic(name, None, given, taken, ((EffectKind.PROCESS, MAY, "%" + name),))


def _cd(argument: str) -> Magic:
    effects: Effects = ((EffectKind.ENVIRONMENT, MUST, "%cd"),)
    if argument.startswith("-"):
        rest = argument.removeprefix("-q").strip()
        if not argument.startswith("-q") or rest.startswith("-"):
            return Magic("cd", None, effects=effects)
        argument = rest
    target = argument.strip("\"'")
    if not target:
        return Magic("cd", "__import__('os').chdir(__import__('os').path.expanduser('~'))", effects=effects)
    if target.startswith("~"):
        home = f"__import__('os').path.expanduser({filled(target)})"
        return Magic("cd", f"__import__('os').chdir({home})", holes(target), effects=effects)
    return Magic("cd", f"__import__('os').chdir({filled(target)})", holes(target), effects=effects)


def _env(argument: str) -> Magic:
    match = re.match(r"(\w+)\s*=\s*(.*)$|(\w+)\s+(\S.*)$", argument)
    if match is None:
        return Magic("env", "", effects=((EffectKind.DISPLAY, MUST, "%env"),))
    key, value = (match[1], match[2]) if match[1] else (match[3], match[4])
    return Magic(
        "env", f"__import__('os').environ[{key!r}] = {filled(value)}", holes(value),
        effects=((EffectKind.ENVIRONMENT, MUST, "%env"),),
    )  # fmt: skip


def _store(argument: str) -> Magic:
    words = argument.split()
    if "-d" in words or "-z" in words:
        return Magic("store", None, effects=((EffectKind.FILE_WRITE, MUST, "%store"),))
    if "-r" in words:
        names = tuple((word, "") for word in words if not word.startswith("-"))
        return Magic("store", None, (), names, ((EffectKind.FILE_READ, MUST, "%store -r"),), opaque=not names)
    names_read = tuple(word for word in words if word.isidentifier())
    if ">" in argument:  # %store x > file.txt
        names_read = names_read[:1]
    return Magic("store", None, names_read, effects=((EffectKind.FILE_WRITE, MUST, "%store"),))


def _macro(argument: str) -> Magic:
    _, rest = split_options(argument, "")
    names = tuple((word, "") for word in rest.split()[:1] if word.isidentifier())
    return Magic("macro", None, (), names, ((EffectKind.HISTORY, MUST, "%macro"),), opaque=not names)


def _run(argument: str) -> Magic:
    code = None if holes(argument) else _code_of_script(argument)
    return Magic("run", code, holes(argument), (), ((EffectKind.FILE_READ, MUST, "%run"),), opaque=True)


def _code_of_script(argument: str) -> str | None:
    """``%run script.py``: the script in globals of its own, its names into the session. None with options."""
    try:
        script, *arguments = shlex.split(argument)
    except ValueError:
        return None
    if script.startswith("-") or arguments:
        return None
    script += "" if script.endswith((".py", ".ipy", ".ipynb")) else ".py"
    if not script.endswith(".py"):
        return None
    space = {"__name__": "__main__", "__file__": script}
    return (
        f"exec(compile(open({script!r}).read(), {script!r}, 'exec'), {SCRIPT_GLOBALS} := {space!r})\n"
        f"globals().update({{name: value for name, value in {SCRIPT_GLOBALS}.items() if not name.startswith('__')}})\n"
        f"del {SCRIPT_GLOBALS}"
    )


SCRIPT_GLOBALS = "_globals_of_script"


def _pylab(argument: str) -> Magic:
    names = (
        ("numpy", "numpy"), ("matplotlib", "matplotlib"), ("pylab", "matplotlib.pylab"), ("mlab", "matplotlib.mlab"),
        ("pyplot", "matplotlib.pyplot"), ("np", "numpy"), ("plt", "matplotlib.pyplot"),
    )  # fmt: skip
    code = (
        "import numpy, matplotlib; from matplotlib import pylab, mlab, pyplot; np = numpy; plt = pyplot"
        "; from pylab import *; from numpy import *"
    )
    effects: Effects = ((EffectKind.CONFIG, MAY, "%pylab"),)
    return Magic("pylab", code, (), names, effects, opaque="--no-import-all" not in argument)


def _pwd(argument: str) -> Magic:
    return Magic("pwd", "__import__('os').getcwd()", effects=((EffectKind.ENVIRONMENT, MUST, "%pwd"),), gives="str")


def _debug(argument: str) -> Magic:
    return Magic("debug", None, effects=((EffectKind.INPUT, MUST, "%debug"),))


def _sx(argument: str) -> Magic:
    return shell_line(argument)


def _set_env(argument: str) -> Magic:
    return _env(argument)


def _directories(argument: str) -> Magic:
    return Magic("pushd", None, holes(argument), effects=((EffectKind.ENVIRONMENT, MUST, "%pushd"),))


_LINES: dict[str, Callable[[str], Magic]] = {
    "cd": _cd,
    "env": _env,
    "set_env": _set_env,
    "store": _store,
    "run": _run,
    "macro": _macro,
    "pylab": _pylab,
    "pwd": _pwd,
    "debug": _debug,
    "pdb": _debug,
    "sx": _sx,
    "system": _sx,
    "pushd": _directories,
    "popd": _directories,
}


def cell_magic(name: str, argument: str, body: str) -> Magic:
    """``%%name argument`` whose body is no Python of this session."""
    reads = holes(argument)
    binds = tuple((found, "") for found in re.findall(r"--(?:out|err|proc)\s+(\w+)", argument))
    detail = "%%" + name
    if name in _SHOWN:
        return Magic(name, "", reads, binds, ((EffectKind.DISPLAY, MUST, detail),))
    if name in _SHELLS:
        return Magic(name, None, reads, binds, ((EffectKind.PROCESS, MUST, detail),))
    if name in ("writefile", "file"):
        return Magic(name, None, reads, binds, ((EffectKind.FILE_WRITE, MUST, detail),))
    if name in _DATABASES:
        found = re.match(r"\s*(\w+)\s*(<<)?", argument if name != "sql" or "<<" in argument else "")
        if found and found[1]:
            binds += ((found[1], ""),)
        effects: Effects = ((EffectKind.NETWORK, MAY, detail),)
        return Magic(name, None, reads + holes(body), binds, effects, opaque=True, text=f"{argument} {body}")
    if name == "R":
        return _other_side(name, argument, reads)
    return Magic(name, None, reads, binds, opaque=True)
