"""The codecs, asked in this order once for each type: the first that returns a function takes its values.

A codec is ``choose(kind, encoder)``: None, or ``reduce(value, encoder)``, which returns what ``__reduce_ex__`` may
return, or NotImplemented. Adding one is a module here, its restorers in ``nbdag/portable/restorers/``, a line in each
registry, and examples in ``tests/portable/test_codecs.py``.
"""

from __future__ import annotations

from typing import Any, Callable, Tuple

from nbdag.portable.codecs.arrays import choose_array_codec
from nbdag.portable.codecs.definitions import choose_definition_codec
from nbdag.portable.codecs.figures import choose_figure_codec
from nbdag.portable.codecs.frames import choose_frame_codec
from nbdag.portable.codecs.handles import choose_handle_codec
from nbdag.portable.codecs.instances import choose_instance_codec
from nbdag.portable.codecs.mapped import choose_mapped_codec
from nbdag.portable.codecs.markup import choose_markup_codec
from nbdag.portable.codecs.moments import choose_moment_codec
from nbdag.portable.codecs.pictures import choose_picture_codec
from nbdag.portable.codecs.plain import choose_plain_codec
from nbdag.portable.codecs.quantities import choose_quantity_codec
from nbdag.portable.codecs.refused import choose_refused_codec
from nbdag.portable.codecs.soups import choose_soup_codec
from nbdag.portable.codecs.sparse import choose_sparse_codec
from nbdag.portable.codecs.tables import choose_table_codec
from nbdag.portable.codecs.tensors import choose_tensor_codec

CODECS: Tuple[Callable[[type, Any], Any], ...] = (
    choose_definition_codec,
    choose_array_codec,
    choose_moment_codec,
    choose_frame_codec,
    choose_sparse_codec,
    choose_tensor_codec,
    choose_table_codec,
    choose_figure_codec,
    choose_picture_codec,
    choose_soup_codec,
    choose_mapped_codec,
    choose_markup_codec,
    choose_quantity_codec,
    choose_plain_codec,
    choose_handle_codec,
    choose_refused_codec,
    choose_instance_codec,
)
