"""What an image of Pillow is, without decoding it.

    picture = Image.open("a.png")         a file that is open; pixels come when somebody asks for them
    picture.load()                        pixels, and what the plugin has read beside them: text, tables, frames

Pillow's own pickle decodes the image, keeps its pixels and drops the rest: ``picture.text`` then raises, and a film
does not move on. Nothing here decodes: ``picture.draft("L", (100, 100))`` of a later cell works only before.
"""

from __future__ import annotations

import io
import sys
from typing import Any, Dict, List, Tuple

from nbdag.portable.objects import base_labels, instance_dict

# The C object that holds the pixels, by the name of its type, and where images of any release keep it.
CORE_TYPE = "ImagingCore"
CORE_NAMES = ("_im", "im")
# Open files and what reads them: the same image has another one in another process. And what saving or showing an image
# leaves behind, without changing it.
FILE_NAMES = frozenset(["fp", "_fp", "map", "png", "tile", "_decoder", "_exclusive_fp"])
PASSING_NAMES = frozenset(
    ["readonly", "_readonly", "pyaccess", "encoderinfo", "_default_encoderinfo", "encoderconfig", "_exif", "palette"]
)


def is_picture_class(cls: type) -> bool:
    """Whether instances are images of Pillow; the library is not imported to know it."""
    return "PIL.Image" in sys.modules and "PIL.Image" in base_labels(cls)


def is_core_class(cls: type) -> bool:
    """Whether this is the type of the C objects that hold pixels."""
    return cls.__name__ == CORE_TYPE and "PIL.Image" in sys.modules


def core_parts(core: Any) -> Tuple[str, Tuple[int, int], bytes, Any]:
    """Mode, size, pixels and palette (its mode and bytes, or None) of such an object."""
    images: Any = sys.modules["PIL.Image"]
    shown = images.Image()._new(core)
    palette = None
    if core.mode in ("P", "PA"):
        try:
            kind = core.getpalettemode()
        except AttributeError:  # Pillow before 9.1
            kind = "RGB"
        palette = (kind, core.getpalette(kind, kind))
    return core.mode, tuple(core.size), shown.tobytes(), palette


def core_of(image: Any) -> Any:
    """The C object of an image, None where it is not decoded, or an error in its place where it was closed."""
    attributes = instance_dict(image) or {}
    for name in CORE_NAMES:
        if name in attributes:
            return attributes[name]
    return None


def open_file_of(image: Any) -> Any:
    """The file that this image has opened and reads from, None if it has none or did not open it."""
    attributes = instance_dict(image) or {}
    for name in ("fp", "_fp"):
        file = attributes.get(name)
        if isinstance(file, io.BufferedReader) and not file.closed and attributes.get("_exclusive_fp"):
            return file
    return None


def seen_of_picture(image: Any) -> List[Any]:
    """What two copies of an image have in common: pixels, or that there are none yet, and what stands beside them."""
    attributes = instance_dict(image) or {}
    core = core_of(image)
    seen: List[Any] = [core_parts(core) if core is not None and is_core_class(type(core)) else type(core).__name__]
    exif = attributes.get("_exif")
    seen.append(dict(getattr(exif, "_data", None) or {}))
    palette = attributes.get("palette")
    if palette is not None and palette.dirty:  # else it is in the pixels
        seen.append((palette.mode, bytes(palette.palette)))
    kept: Dict[str, Any] = {
        name: value
        for name, value in attributes.items()
        if name not in CORE_NAMES
        and name not in FILE_NAMES
        and name not in PASSING_NAMES
        and not is_core_class(type(value))
    }
    seen.append([(name, kept[name]) for name in sorted(kept)])
    return seen
