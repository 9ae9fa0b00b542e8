"""The state of the process-wide random generators as bytes, and back.

The same state gives the same bytes on every Python and NumPy, and bytes written by one version set another. Generators:
``random`` (the module's hidden instance), ``numpy`` (the legacy ``numpy.random`` global, MT19937), ``torch`` (the CPU
generator). Generator objects that a session made itself are ordinary values.

    layout   random, numpy   b"MT" + 624 words of 32 bits + position + has-gauss byte + gauss double, little-endian
             torch           b"TC" + the generator's own bytes
"""

from __future__ import annotations

import random
import struct
import sys
from typing import Any, Dict, List, Tuple

TWISTER_LAYOUT = struct.Struct("<2s624IIBd")
TWISTER_TAG = b"MT"
TORCH_TAG = b"TC"
SEEDED_POSITION = 624  # where seeding leaves a Mersenne Twister: the whole table is still to be drawn
GENERATORS: Tuple[str, ...] = ("random", "numpy", "torch")


def get_states() -> Dict[str, bytes]:
    """The states of the generators whose library is loaded; a generator of another algorithm is left out."""
    return pack_states(raw_states())


def raw_states() -> Dict[str, Any]:
    """The states as their libraries give them: cheap to take (some 30 us each) and to compare with :func:`drawn`."""
    states: Dict[str, Any] = {"random": random.getstate()}
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None and hasattr(numpy_random, "get_state"):
        state = numpy_random.get_state()
        if type(state) is tuple and state[0] == "MT19937":
            states["numpy"] = (state[1].tobytes(), int(state[2]), int(state[3]), float(state[4]))
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_rng_state"):
        states["torch"] = bytes(torch.get_rng_state().numpy().tobytes())
    return states


def drawn(before: Dict[str, Any], after: Dict[str, Any]) -> List[str]:
    """The generators whose state differs. NumPy's counts if it was loaded in between and is not as seeding left it."""
    out: List[str] = []
    if before is after:
        return out
    for generator in GENERATORS:
        if generator not in after:
            continue
        if generator in before:
            if before[generator] != after[generator]:
                out.append(generator)
        elif generator == "numpy" and after[generator][1:] != (SEEDED_POSITION, 0, 0.0):
            out.append(generator)
    return out


def pack_states(raw: Dict[str, Any]) -> Dict[str, bytes]:
    """Raw states as portable bytes."""
    packed = {}
    for generator, state in raw.items():
        if generator == "random":
            version, words, gauss = state
            if version != 3 or len(words) != 625:
                continue
            packed[generator] = TWISTER_LAYOUT.pack(TWISTER_TAG, *words, gauss is not None, gauss or 0.0)
        elif generator == "numpy":
            key, position, has_gauss, gauss = state
            words = struct.unpack("=624I", key)
            packed[generator] = TWISTER_LAYOUT.pack(TWISTER_TAG, *words, position, has_gauss, gauss)
        elif generator == "torch":
            packed[generator] = TORCH_TAG + state
    return packed


def set_state(states: Dict[str, bytes]) -> List[str]:
    """Put the generators into these states; returns those that could not be set (library missing, unknown bytes)."""
    failed = []
    for generator in GENERATORS:
        if generator in states:
            try:
                set_generator(generator, bytes(states[generator]))
            except Exception:
                failed.append(generator)
    failed += [generator for generator in states if generator not in GENERATORS]
    return failed


set_states = set_state


def set_generator(generator: str, packed: bytes) -> None:
    """Set one generator; raises when its library is missing or the bytes are not a state of it."""
    if generator == "torch":
        import torch  # type: ignore[import-not-found,unused-ignore]

        if packed[:2] != TORCH_TAG:
            raise ValueError("not a state of torch's generator")
        torch.set_rng_state(torch.tensor(list(packed[2:]), dtype=torch.uint8))
        return
    fields = TWISTER_LAYOUT.unpack(packed)
    if fields[0] != TWISTER_TAG:
        raise ValueError("not a state of a Mersenne Twister")
    words, position, has_gauss, gauss = fields[1:625], fields[625], fields[626], fields[627]
    if generator == "random":
        random.setstate((3, (*words, position), gauss if has_gauss else None))
        return
    import numpy

    key = numpy.array(words, dtype=numpy.uint32)
    numpy.random.set_state(("MT19937", key, position, has_gauss, gauss))
