"""A scene as SVG: lanes on the left, one row per cell, bars for time and size to scale on the right.

Colours are CSS variables of ``picture.css``, for light and dark. Lengths are CSS pixels. Text is measured by counting:
it is set in a monospaced face, whose advance is 0.6 em in practically every font.
"""

from __future__ import annotations

import unicodedata
from html import escape
from importlib.resources import files

from nbdag.model.graph import Evidence
from nbdag.model.plan import Action
from nbdag.model.trace import Outcome
from nbdag.report.graph.scene import Chip, Lane, Row, Scene
from nbdag.report.units import say_bytes, say_seconds

ROW = 48
TOP = 34  # the line of column titles
LANES_AT_MOST = 210
SLOT_AT_MOST = 13
TEXT = 500  # code and chips
BAR = 90
NUMBER = 62
GAP = 18
CODE_EM, CHIP_EM = 12.5, 11.0
ADVANCE = 0.6
HUES = 7  # lanes take colours in turn
_WORDS = {Action.STORE: "stored", Action.REPLAY: "replayed", Action.LOSE: "lost"}


def draw(scene: Scene, *, standalone: bool = True, fluid: bool = False) -> str:
    """The SVG text; ``standalone`` carries its own style and a background, else it is to be put into a page.

    ``fluid`` takes the width that there is, as under a cell; else it is drawn to size.
    """
    left = _lanes_width(scene)
    width = left + 46 + TEXT + 2 * (BAR + NUMBER + GAP)
    height = TOP + ROW * max(1, len(scene.rows)) + 14
    size = 'width="100%"' if fluid else f'width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="nbdag" viewBox="0 0 {width} {height}" {size} '
        f'role="img" aria-label="{_attribute(scene.title)}: cells and what they need">'
    ]
    if standalone:
        parts.append(f"<title>{_text(scene.title)}</title><style>{picture_style()}</style>")
        parts.append(f'<rect class="ground" width="{width}" height="{height}"/>')
    parts += _titles(scene, left)
    longest = max((row.seconds or 0.0 for row in scene.rows), default=0.0)
    largest = max((row.size for row in scene.rows), default=0)
    parts.append('<g class="rows">')
    for place, row in enumerate(scene.rows):
        parts += _draw_row(row, place, left, width, longest, largest)
    parts.append("</g>")
    parts.append('<g class="lanes">')
    for lane in scene.lanes:
        parts += _draw_lane(lane, scene, left)
    parts.append("</g>")
    parts.append('<g class="dots">')
    parts += [_draw_dot(row, place, left) for place, row in enumerate(scene.rows)]
    parts.append("</g></svg>")
    return "".join(parts)


def picture_style() -> str:
    """The style sheet of the picture."""
    return files("nbdag.report.graph").joinpath("picture.css").read_text(encoding="utf-8")


def _lanes_width(scene: Scene) -> int:
    return round(min(LANES_AT_MOST, SLOT_AT_MOST * scene.slots)) + 24


def _slot_x(slot: int, scene: Scene, left: int) -> float:
    step = min(SLOT_AT_MOST, LANES_AT_MOST / max(1, scene.slots))
    return round(left - 12 - step * (slot + 1) + step / 2, 2)


def _middle(place: int) -> float:
    return TOP + ROW * place + ROW / 2


def _titles(scene: Scene, left: int) -> list[str]:
    text = left + 46
    titles = [(text, "cell"), (text + TEXT + GAP, "time" if scene.ran else "")]
    titles.append((text + TEXT + BAR + NUMBER + 2 * GAP, "what it holds now" if scene.ran else ""))
    parts = [f'<text class="title" x="{x}" y="{TOP - 14}">{word}</text>' for x, word in titles if word]
    x = text + 46
    for action, word in _WORDS.items() if scene.planned else ():
        if any(chip.action is action for row in scene.rows for chip in row.chips):
            parts.append(f'<text class="title {action.value}" x="{x}" y="{TOP - 14}">{word}</text>')
            x += 62
    return parts


def _draw_lane(lane: Lane, scene: Scene, left: int) -> list[str]:
    x, dot = _slot_x(lane.slot, scene, left), left + 4
    start = _middle(lane.source)
    hue = f"hue{lane.source % HUES}"
    parts = []
    for branch in lane.branches:
        end = _middle(branch.target)
        bend = 5 if end > start else -5
        # Branches leave a little above the middle of a row and arrive a little below: both stay readable.
        path = (
            f"M{dot} {start + 3:g}H{x + 5:g}Q{x:g} {start + 3:g} {x:g} {start + 3 + bend:g}"
            f"V{end - 3 - bend:g}Q{x:g} {end - 3:g} {x + 5:g} {end - 3:g}H{dot - 6}"
        )
        # Where nothing ran, every need is known from the text alone: dashes would say nothing.
        kind = {Evidence.OBSERVED: "observed", Evidence.STATIC: "static"}.get(branch.evidence, "both")
        kind = kind if scene.ran else "text"
        names = ", ".join(branch.names)
        parts.append(
            f'<g class="need {hue} {kind}" data-from="{lane.source}" data-to="{branch.target}">'
            f"<title>{_text(names)}: cell {lane.source + 1} to cell {branch.target + 1} ({kind})</title>"
            f'<path d="{path}"/><path class="tip" d="M{dot - 9} {end - 6:g}l5 3l-5 3z"/></g>'
        )
    return parts


def _draw_dot(row: Row, place: int, left: int) -> str:
    state = {None: "unrun", Outcome.OK: "ok"}.get(row.outcome, "failed")
    return f'<circle class="dot {state}" data-cell="{row.index}" cx="{left + 4}" cy="{_middle(place):g}" r="5"/>'


def _draw_row(row: Row, place: int, left: int, width: int, longest: float, largest: int) -> list[str]:
    top, text = TOP + ROW * place, left + 46
    parts = [
        f'<g class="row" data-cell="{row.index}" tabindex="0" role="button" '
        f'aria-label="cell {row.label}: {_attribute(row.first_line)}">'
        f'<rect class="band" x="{left + 14}" y="{top}" width="{width - left - 18}" height="{ROW}" rx="4"/>'
        f'<text class="label" x="{left + 40}" y="{top + 19}">{row.label}</text>'
        f'<text class="code" x="{text}" y="{top + 19}">{_text(_cut(row.first_line, TEXT, CODE_EM))}</text>'
    ]
    parts += _draw_chips(row, text, top + 26)
    if row.error:
        parts.append(f"<title>{_text(row.error)}</title>")
    bars = text + TEXT + GAP
    if row.seconds is not None:
        parts.append(_bar("time", bars, top + 14, row.seconds / longest if longest else 0))
        parts.append(
            f'<text class="number" x="{bars + BAR + 6}" y="{top + 23}">{_text(say_seconds(row.seconds))}</text>'
        )
    if row.size:
        bars += BAR + NUMBER + GAP
        done = 0.0
        for action in ("store", "replay", "lose", "unknown"):
            share = sum(chip.held for chip in row.chips if chip.current and _action(chip) == action) / largest
            if share:
                parts.append(_bar(action, bars + done * BAR, top + 14, share))
                done += share
        parts.append(f'<text class="number" x="{bars + BAR + 6}" y="{top + 23}">{_text(say_bytes(row.size))}</text>')
    parts.append("</g>")
    return parts


def _bar(kind: str, x: float, y: float, share: float) -> str:
    return (
        f'<rect class="bar {kind}" x="{x:g}" y="{y}" width="{max(1.0, round(share * BAR, 1)):g}" height="11" rx="1.5"/>'
    )


def _draw_chips(row: Row, x: float, y: float) -> list[str]:
    parts: list[str] = []
    end = x + TEXT
    chips = [(_clean(chip.name), f"chip {_state(chip)}", _chip_title(chip), chip.name) for chip in row.chips]
    chips += [(f"~{_clean(name)}", "chip changed", f"changes {name}", "") for name in row.changes]
    chips += [(tag, "chip tag", f"effect: {tag}", "") for tag in row.tags]
    for position, (text, classes, title, name) in enumerate(chips):
        rest = len(chips) - position
        length = _width(text, CHIP_EM) + 12
        if x + length > end - (40 if rest > 1 else 0) and position:
            parts.append(f'<text class="more" x="{x + 2:g}" y="{y + 12.5:g}">+{rest}</text>')
            break
        text = _cut(text, end - x - 50, CHIP_EM)
        length = _width(text, CHIP_EM) + 12
        mark = f' data-name="{_attribute(name)}"' if name else ""
        parts.append(
            f'<g class="{classes}"{mark}><title>{_text(title)}</title><rect x="{x:g}" y="{y}" width="{length:g}" '
            f'height="17" rx="8.5"/><text x="{x + 6:g}" y="{y + 12.5:g}">{_text(text)}</text></g>'
        )
        x += length + 5
    return parts


def _state(chip: Chip) -> str:
    return _action(chip) if chip.current else "older"


def _action(chip: Chip) -> str:
    return chip.action.value if chip.action else "unknown"


def _chip_title(chip: Chip) -> str:
    if not chip.current:
        return f"{chip.name}, made here; no value of the session comes from here"
    words = _WORDS[chip.action] if chip.action else "no plan was made"
    about = ", ".join(part for part in (chip.type, say_bytes(chip.size) if chip.size else "", words) if part)
    return f"{chip.name}: {about}" + (f" ({chip.reason})" if chip.reason else "")


def _width(text: str, em: float) -> float:
    wide = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
    return round(wide * em * ADVANCE, 1)


def _cut(text: str, width: float, em: float) -> str:
    text = _clean(text)
    if _width(text, em) <= width:
        return text
    while text and _width(text, em) > width - em:
        text = text[: max(0, min(len(text) - 1, int(width / (em * ADVANCE))))]
    return text + "\N{HORIZONTAL ELLIPSIS}"


def _clean(text: str) -> str:
    """``text`` without what XML cannot hold: control characters and lone surrogates."""
    return "".join(
        letter if letter.isprintable() or letter == "\N{NO-BREAK SPACE}" else " " if letter.isspace() else "\ufffd"
        for letter in text
    )


def _text(text: str) -> str:
    return escape(_clean(text), quote=False)


def _attribute(text: str) -> str:
    return escape(_clean(text), quote=True)
