"""Functions and classes of every form that no top-level statement defines, so that they travel by source and state.

``since`` is the Python that can compile the text: on an older one the value is named as lost.
"""

from __future__ import annotations

from tests.portable.cases.codecs import Case


def _rows(*rows: tuple[object, ...]) -> tuple[Case, ...]:
    return tuple(Case(str(name), "", f"def make():\n{_indented(str(body))}\nv = make()", str(check),
                      since[0] if since else (), False) for name, body, check, *since in rows)  # type: ignore[arg-type]  # fmt: skip


def _indented(text: str) -> str:
    return "\n".join("    " + line for line in text.split("\n"))


DEFINITIONS = _rows(
    ("a nested function", "n = 3\ndef f(a, b=[1], *, c={}):\n    'doc'\n    b.append(a)\n    return n + len(b)\nf(0); f.tag = 5\nreturn f",
     "assert v(1) == 6 and v.__doc__ == 'doc' and v.tag == 5 and v.__qualname__ == 'make.<locals>.f'"),
    ("closures over one cell", "n = 0\ndef up():\n    nonlocal n\n    n += 1\n    return n\nup()\nreturn [up, lambda: n]", "assert v[0]() == 2 and v[1]() == 2"),
    ("lambdas of one line", "return [lambda x: x + 1, lambda x: x * 2, lambda x: [lambda y: x * y][0]]", "assert [v[0](3), v[1](3), v[2](3)(4)] == [4, 6, 12]"),
    ("a recursive closure", "def fact(n): return 1 if n < 2 else n * fact(n - 1)\nreturn fact", "assert v(5) == 120"),
    ("a coroutine function", "async def f(x):\n    return x + 1\nreturn f", "import asyncio; assert asyncio.run(v(3)) == 4"),
    ("an asynchronous generator", "async def f(n):\n    for i in range(n):\n        yield i\nreturn f",
     "import asyncio\nasync def collect(): return [i async for i in v(3)]\nassert asyncio.run(collect()) == [0, 1, 2]"),
    ("a generator function", "def f(n):\n    x = yield n\n    yield x\nreturn f", "g = v(1); assert next(g) == 1 and g.send(5) == 5"),
    ("a comprehension in a closure", "k = 3\nreturn lambda n: [i * k for i in range(n) if (lambda j: j % 2)(i)]", "assert v(4) == [3, 9]"),
    ("wraps", "import functools\ndef twice(f):\n    @functools.wraps(f)\n    def run(*a):\n        return f(f(*a))\n    return run\n@twice\ndef g(x):\n    'g'\n    return x + 1\nreturn g",
     "assert v(1) == 3 and v.__name__ == 'g' and v.__doc__ == 'g' and v.__wrapped__(1) == 2"),
    ("partials and caches", "import functools\nreturn [functools.partial(lambda a, b: a - b, b=1), functools.lru_cache(maxsize=7)(lambda n: n + 1)]",
     "assert v[0](3) == 2 and v[1](1) == 2 and v[1].cache_info().maxsize == 7"),
    ("single dispatch", "import functools\n@functools.singledispatch\ndef f(x): return 'any'\n@f.register(int)\ndef _(x): return 'int'\nreturn f", "assert v(1) == 'int' and v('a') == 'any'"),
    ("annotations", "def f(a: int, *, b: 'str' = 'x') -> float: return a\nreturn f", "assert v.__annotations__ == {'a': int, 'b': 'str', 'return': float} and v.__kwdefaults__ == {'b': 'x'}"),
    ("a class with its parts", "n = 4\nclass A:\n    'doc'\n    limit = [n]\n    def __init__(self): self.v = n\n    @property\n    def half(self): return self.v / 2\n"
     "    @half.setter\n    def half(self, x): self.v = 2 * x\n    @staticmethod\n    def one(): return n\n    @classmethod\n    def made(cls): return cls()\nreturn A()",
     "assert v.half == 2 and v.one() == 4 and type(type(v).made()) is type(v) and type(v).__doc__ == 'doc'\nv.half = 5; assert v.v == 10"),
    ("inheritance and super", "class A:\n    def f(self): return 1\nclass B(A):\n    def f(self): return super().f() + 1\nclass C(B):\n    def f(self): return super().f() + __class__.k\n    k = 5\nreturn C()",
     "assert v.f() == 7 and [c.__name__ for c in type(v).__mro__] == ['C', 'B', 'A', 'object']"),
    ("slots", "class P:\n    __slots__ = ('x', '__y')\n    def __init__(self): self.x, self.__y = 1, 2\n    def y(self): return self.__y\nclass Q(P):\n    __slots__ = 'z'\nq = Q(); q.z = 3\nreturn q",
     "assert (v.x, v.y(), v.z) == (1, 2, 3) and not hasattr(v, '__dict__')"),
    ("a dataclass", "import dataclasses\n@dataclasses.dataclass(order=True, frozen=True)\nclass D:\n    a: int\n    b: list = dataclasses.field(default_factory=list, compare=False)\n"
     "    def total(self): return self.a + len(self.b)\nreturn [D(1, [2]), D(0)]",
     "assert v[0] > v[1] and v[0].total() == 2 and v[0] == type(v[0])(1) and hash(v[0]) == hash(type(v[0])(1)) and repr(v[1]).endswith('D(a=0, b=[])')"),
    ("dataclasses that inherit", "import dataclasses\n@dataclasses.dataclass\nclass D:\n    a: int = 1\n@dataclasses.dataclass\nclass E(D):\n    b: int = 2\n    def __post_init__(self): self.c = self.a + self.b\nreturn E()",
     "assert v.c == 3 and type(v)(5).c == 7 and [f.name for f in __import__('dataclasses').fields(v)] == ['a', 'b']"),
    ("a dataclass with slots", "import dataclasses\n@dataclasses.dataclass(slots=True, kw_only=True)\nclass D:\n    a: int = 1\nreturn D(a=2)",
     "assert v.a == 2 and not hasattr(v, '__dict__') and type(v)(a=3).a == 3", (3, 10)),
    ("enums", "import enum\nclass E(enum.Enum):\n    A = 1\n    B = 'x'\nclass F(enum.IntFlag):\n    R = 1\n    W = 2\nreturn [E.B, F.R | F.W, E]",
     "assert v[0].value == 'x' and v[0] is v[2].B and v[1] == 3 and v[2](1).name == 'A'"),
    ("an enum with methods", "import enum\nclass E(enum.Enum):\n    A = 1\n    def twice(self): return self.value * 2\nreturn E.A", "assert v.twice() == 2"),
    ("named tuples", "import collections, typing\nclass T(typing.NamedTuple):\n    a: int\n    b: str = 'x'\n    def both(self): return (self.a, self.b)\nreturn [collections.namedtuple('N', 'x y', defaults=[2])(1), T(1)]",
     "assert v[0].y == 2 and v[1].both() == (1, 'x') and v[1]._replace(a=5).a == 5 and type(v[0])._field_defaults == {'y': 2}"),
    ("an abstract class", "import abc\nclass A(abc.ABC):\n    @abc.abstractmethod\n    def f(self): ...\nclass B(A):\n    def f(self): return 1\nA.register(dict)\nreturn [A, B()]",
     "assert v[1].f() == 1 and isinstance(v[1], v[0]) and isinstance({}, v[0])\ntry: v[0]()\nexcept TypeError: pass\nelse: raise AssertionError('made')"),
    ("a metaclass", "class M(type):\n    made = []\n    def __new__(meta, name, bases, body, **more):\n        return super().__new__(meta, name, bases, body)\n    def __call__(cls, *a):\n        return super().__call__(*a)\n    @property\n    def kind(cls): return cls.__name__.lower()\nclass A(metaclass=M, tag=1):\n    x = 1\nreturn A()",
     "assert type(v).kind == 'a' and v.x == 1 and type(type(v)).__name__ == 'M'"),
    ("__init_subclass__", "class Base:\n    known = []\n    def __init_subclass__(cls, **more):\n        super().__init_subclass__(**more)\n        Base.known.append(cls.__name__)\nclass A(Base): pass\nreturn A()",
     "assert type(v).known == ['A']"),
    ("descriptors", "class Positive:\n    def __set_name__(self, owner, name): self.name = '_' + name\n    def __get__(self, obj, kind=None): return self if obj is None else getattr(obj, self.name)\n    def __set__(self, obj, value): setattr(obj, self.name, abs(value))\nclass A:\n    x = Positive()\na = A(); a.x = -3\nreturn a",
     "v.x = -5; assert v.x == 5"),
    ("operators", "class N:\n    def __init__(self, n): self.n = n\n    def __eq__(self, o): return self.n == o.n\n    def __hash__(self): return hash(self.n)\n    def __add__(self, o): return N(self.n + o.n)\n    def __getitem__(self, i): return i\nreturn {N(1): N(2)}",
     "k, = v; assert v[type(k)(1)].n == 2 and (k + k).n == 2 and k[5] == 5"),
    ("an exception", "class Bad(ValueError):\n    def __init__(self, code, text): super().__init__(text); self.code = code\ne = Bad(3, 'no'); return [type(e)]", "assert v[0](3, 'no').code == 3 and issubclass(v[0], ValueError)"),
    ("a subclass of dict and list", "class D(dict):\n    def __missing__(self, k): return k\nclass L(list): pass\nd = D(a=1); d.note = 2\nl = L([1]); l.tag = d\nreturn [d, l]", "assert v[0]['z'] == 'z' and v[0].note == 2 and v[1] == [1] and v[1].tag is v[0]"),
    ("generic classes", "import typing\nT = typing.TypeVar('T')\nclass Box(typing.Generic[T]):\n    def __init__(self, x): self.x = x\nreturn Box[int](3)", "assert v.x == 3 and type(v)[str] is not None"),
    ("cached properties", "import functools\nclass A:\n    @functools.cached_property\n    def x(self): return [1]\na = A(); a.x\nreturn a", "assert v.x is v.x and type(v)().x == [1]"),
    ("a nested class", "class A:\n    class B:\n        def f(self): return A\n    b = B()\nreturn A()", "assert v.b.f() is type(v) and type(v.b).__qualname__ == 'make.<locals>.A.B'"),
    ("a positional-only function", "def f(a, /, b): return a - b\nreturn f", "assert v(3, b=1) == 2"),
    ("match", "def f(x):\n    match x:\n        case [a, *_]: return a\n        case {'k': k}: return k\n        case _: return None\nreturn f", "assert v([1, 2]) == 1 and v({'k': 3}) == 3", (3, 10)),
    ("except*", "def f():\n    try: raise ExceptionGroup('g', [ValueError(1)])\n    except* ValueError as e: n = len(e.exceptions)\n    return n\nreturn f", "assert v() == 1", (3, 11)),
    ("type parameters", "def f[T](x: T) -> T: return x\nclass Box[T]:\n    def __init__(self, x: T): self.x = x\nreturn [f, Box(3)]", "assert v[0](3) == 3 and v[1].x == 3 and v[0].__type_params__[0].__name__ == 'T'", (3, 12)),
)  # fmt: skip
