"""Runs the notebooks of the case tables: in this process, or in every Python that this machine has."""

from __future__ import annotations

import gc
import json
import subprocess
from pathlib import Path
from typing import Any

from tests.interpreters import interpreters

ROOT = str(Path(__file__).resolve().parents[3])

PRELUDE = """
import abc, array, ast, collections, contextlib, copy, ctypes, dataclasses, datetime, decimal, enum, fractions
import functools, io, itertools, logging, math, mmap, operator, os, pathlib, pickle, queue, random, re, sys, threading
import types, typing, uuid, weakref
class C: pass
class Slots: __slots__ = ("a", "b")
@dataclasses.dataclass
class D:
    a: object = 1
class L(list): pass
class M(dict): pass
def c(**attributes):
    made = C(); vars(made).update(attributes); return made
"""
LIBRARIES = """
import numpy as np
import pandas as pd
X = np.arange(20.0).reshape(10, 2); y = np.arange(10) % 2
"""
PLOTTING = """
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
"""
LIBRARY_WORDS = ("np.", "pd.", "sklearn", "scipy", "matplotlib")

JSON = Any


def run_notebook(source: str, *preludes: str) -> dict[str, Any]:
    """The namespace after ``source``, which finds what the preludes and the standard one made."""
    namespace: dict[str, Any] = {"__name__": "__main__", "gc": gc}
    for text in (PRELUDE, *preludes, source):
        exec(compile(text, "<cell>", "exec", dont_inherit=True), namespace)
    return namespace


def made_by(source: str, *preludes: str) -> dict[str, Any]:
    """What ``source`` itself binds, names of the preludes that it binds anew included."""
    namespace = run_notebook("", *preludes)
    before = dict(namespace)
    exec(compile(source, "<cell>", "exec", dont_inherit=True), namespace)
    return {name: value for name, value in namespace.items() if name not in before or value is not before[name]}


def standard(source: str) -> bool:
    """Whether a notebook needs nothing but the standard library."""
    return not any(word in source for word in LIBRARY_WORDS)


def ask_python(version: str, script: str, tables: JSON) -> JSON:
    """What ``script`` prints as JSON in that interpreter; it finds ``tables`` on its standard input."""
    command = [interpreters()[version], "-W", "ignore", "-c", script, ROOT]
    done = subprocess.run(command, input=json.dumps(tables), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
