"""Restorers of Pillow's images; counterpart of ``codecs/pictures.py``."""

from __future__ import annotations

from typing import Any, Mapping

from nbdag.portable.restorers.handles import restore_content


def restore_picture_core(mode: str, size: Any, pixels: Any, palette: Any) -> Any:
    """The C object that holds pixels."""
    import PIL.Image as images  # type: ignore[import-not-found, unused-ignore]

    core = images.frombytes(mode, tuple(size), bytes(pixels)).im
    if palette is not None:
        kind, colours = palette
        try:
            core.putpalette(kind, kind, colours)
        except TypeError:  # older releases know one mode only
            core.putpalette(kind, colours)
    return core


def restore_picture(kind: Any) -> Any:
    """An image without anything; :func:`restore_picture_state` fills it."""
    return kind.__new__(kind)


def restore_picture_state(loading: Any, image: Any, state: Any) -> None:
    """Pixels and attributes, under the names that this release gives them."""
    import PIL
    import PIL.Image as images

    core, mode, size, attributes, release = state
    images.Image.__init__(image)
    own = image.__dict__
    fresh = set(own)
    own.update(attributes)
    own["_im" if "_im" in fresh else "im"] = core
    own["_mode" if "_mode" in fresh else "mode"] = mode
    own["_size" if "_size" in fresh else "size"] = size
    here = getattr(PIL, "__version__", "")
    if here != release and type(image) is not images.Image:
        loading.note(
            "Pillow %s opened an image that is here with Pillow %s: its pixels are the same, what its format keeps "
            "beside them may not be understood" % (release, here)
        )


def restore_picture_again(
    content: bytes, filename: Any, frame: int, loaded: bool, info: Any, changed: Mapping[str, Any] = {}
) -> Any:
    """An image opened from its file, if it is here with this content, else from the content; at this frame, and with
    what has ``changed`` of its attributes.
    """
    import os

    import PIL.Image as images

    path = os.fsdecode(filename or "")
    file = restore_content(path, os.path.abspath(path), content, 0)
    image = images.open(file)
    image.seek(frame)
    if loaded:
        image.load()
    image.filename = filename
    image.info = info
    image.__dict__.update(changed)
    image.__dict__["_exclusive_fp"] = True  # as if it had opened the file itself: it closes it
    return image


def restore_picture_pen(kind: Any) -> Any:
    """A pen without an image."""
    return kind.__new__(kind)


def restore_picture_pen_state(pen: Any, state: Any) -> None:
    """Its image, colours and fonts."""
    import PIL.Image

    images: Any = PIL.Image
    pen.__dict__.update(state)
    pen.draw = images.core.draw(pen.im, 1 if pen.mode == "RGBA" and pen.im.mode == "RGB" else 0)
