"""Images of Pillow with all that their plugin knows; a file that one still reads from comes along.

    film = Image.open("a.gif"); film.seek(2)         film.seek(3) goes on, whether a.gif is there or not

Pixels are stored once, also where an ``ImageDraw`` or the frame before shares them. Attributes go as they are, so they
belong to one release of Pillow: in another one the restorer says so. A file of hundreds of megabytes does not come
along: it is opened where it stands, as every other open file.
"""

from __future__ import annotations

import _pickle
import io
import os
import sys
from typing import Any, Dict, Optional

from nbdag.portable.codecs.handles import content_of_open
from nbdag.portable.encoder import GroupEncoder, Refused
from nbdag.portable.fingerprint import fingerprint
from nbdag.portable.objects import instance_dict, is_session_class
from nbdag.portable.pictures import (
    CORE_NAMES,
    core_of,
    core_parts,
    is_core_class,
    is_picture_class,
    open_file_of,
    seen_of_picture,
)

LARGEST_EMBEDDED = 256 << 20  # bytes of a file that comes along with the image that reads from it


def choose_picture_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Images, and the C objects that hold their pixels."""
    if is_core_class(kind):
        return _reduce_core
    if kind.__name__ == "DeferredError" and kind.__module__ == "PIL._util":  # in the place of what was closed
        return lambda value, encoder: (kind, (instance_dict(value)["ex"],))  # type: ignore[index]
    if kind.__name__ == "ImageDraw" and kind.__module__ == "PIL.ImageDraw":
        return _reduce_pen
    if not is_picture_class(kind) or (is_session_class(kind) and _says_itself(kind)):
        return None
    return _reduce_picture


def _says_itself(kind: Any) -> bool:
    """Whether a class of the session has the last word on how its images are pickled."""
    image: Any = sys.modules["PIL.Image"].Image
    return any(
        getattr(kind, name, None) is not getattr(image, name, None)
        for name in ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__")
    )


def _reduce_core(core: Any, encoder: GroupEncoder) -> Any:
    mode, size, pixels, palette = core_parts(core)
    encoder.modules.add("PIL")
    buffer = _pickle.PickleBuffer(pixels)
    encoder.kept.append(buffer)
    return encoder.restorer("picture_core"), (mode, size, buffer, palette)


def _reduce_pen(pen: Any, encoder: GroupEncoder) -> Any:
    """What draws into an image: made again over the same pixels."""
    encoder.modules.add("PIL")
    state = {name: value for name, value in (instance_dict(pen) or {}).items() if name != "draw"}
    return encoder.restorer("picture_pen"), (type(pen),), state, None, None, encoder.restorer("picture_pen_state")


def _reduce_picture(image: Any, encoder: GroupEncoder) -> Any:
    encoder.modules.add("PIL")
    attributes = dict(instance_dict(image) or {})
    if attributes.get("_decoder") is not None:  # of WebP and AVIF: C objects with the whole file in them
        return _reduce_by_its_file(image, attributes, encoder)
    core = core_of(image)
    for name in CORE_NAMES:
        attributes.pop(name, None)
    if attributes.get("map") is not None:  # the pixels were mapped: they are stored
        attributes["map"] = None
    file = open_file_of(image)
    if file is not None and os.fstat(file.fileno()).st_size <= LARGEST_EMBEDDED:
        if core is None and attributes["fp"] is file:
            content = content_of_open(file)
            if _is_as_opened(image, attributes, content):
                arguments = (content, attributes.get("filename"), 0, False, image.info)
                return encoder.restorer("picture_again"), arguments
        encoder.embedded[id(file)] = file
    return _as_it_is(image, core, attributes, encoder)


def _as_it_is(image: Any, core: Any, attributes: Dict[str, Any], encoder: GroupEncoder) -> Any:
    """By its pixels and attributes."""
    state = (core, image.mode, tuple(image.size), attributes, getattr(sys.modules["PIL"], "__version__", ""))
    return encoder.restorer("picture"), (type(image),), state, None, None, encoder.restorer("picture_state")


def _is_as_opened(image: Any, attributes: Dict[str, Any], content: bytes) -> bool:
    """Whether nothing happened to an image since it was opened: then its file is all, for any release of Pillow."""
    try:
        again = sys.modules["PIL.Image"].open(io.BytesIO(content))
    except Exception:
        return False
    again.filename = attributes.get("filename")
    return (
        type(again) is type(image)
        and image.tell() == again.tell() == 0
        and [tile[:3] for tile in image.tile] == [tile[:3] for tile in again.tile]
        and attributes.get("_exif") is None
        and fingerprint(seen_of_picture(image)) == fingerprint(seen_of_picture(again))
    )


def _reduce_by_its_file(image: Any, attributes: Dict[str, Any], encoder: GroupEncoder) -> Any:
    """Opened again from the bytes of its file, if these give the pixels of the image. A single picture whose pixels
    were changed, or whose file is gone, goes without its decoder, which has nothing more to do.
    """
    content = _content_of(attributes)
    core = core_of(image)
    again = _opened_again(image, content, core is not None)
    if again is None:
        if core is None or not is_core_class(type(core)) or getattr(image, "n_frames", 2) != 1:
            raise Refused(image, "an image whose decoder does not move, and its file is gone or holds another one")
        kept = {name: value for name, value in attributes.items() if name not in CORE_NAMES}
        return _as_it_is(image, core, {**kept, "_decoder": None, "fp": None, "map": None}, encoder)
    arguments = (content, attributes.get("filename"), image.tell(), core is not None, image.info)
    return encoder.restorer("picture_again"), (*arguments, _changed_since(image, attributes, again))


def _opened_again(image: Any, content: Optional[bytes], loaded: bool) -> Any:
    """An image of the same pixels out of the content of its file; None if there is none."""
    if content is None:
        return None
    try:
        again = sys.modules["PIL.Image"].open(io.BytesIO(content))
        again.seek(image.tell())
        if loaded:
            again.load()
            if core_parts(core_of(again)) != core_parts(core_of(image)):
                return None
    except Exception:
        return None
    return again if type(again) is type(image) and again.size == image.size else None


def _changed_since(image: Any, attributes: Dict[str, Any], again: Any) -> Dict[str, Any]:
    """Attributes that the image has got since it was opened; not those that go with the state of its decoder."""
    of_plugins = tuple("_%s__" % kind.__name__ for kind in type(image).__mro__)
    theirs = dict(seen_of_picture(again)[-1])
    changed = {
        name: value
        for name, value in seen_of_picture(image)[-1]
        if name not in ("info", "filename", "_decoder")
        and not name.startswith(of_plugins)
        and (name not in theirs or fingerprint(value) != fingerprint(theirs[name]))
    }
    if attributes.get("_exif") is not None:
        changed["_exif"] = attributes["_exif"]
    return changed


def _content_of(attributes: Dict[str, Any]) -> Optional[bytes]:
    """The bytes that an image was opened from, from its file or what it still reads from; None where they are gone."""
    path, file = attributes.get("filename"), attributes.get("fp")
    if isinstance(path, (str, bytes)) and path and os.path.isfile(path):
        if os.path.getsize(path) > LARGEST_EMBEDDED:
            return None
        with open(path, "rb") as found:
            return found.read()
    return file.getvalue() if type(file) is io.BytesIO and not file.closed else None
