"""Small sessions that probe what a restored session must still know. Each is cells as a user types them, and probes.

A probe is an expression or a statement, run in order in the live session and in the restored one; the reprs must be
equal. Probes may change things: a restored view must write through to its base.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Session:
    """``lost`` names what cannot be moved and must be named; ``needs`` the packages it imports."""

    name: str
    cells: tuple[str, ...]
    probes: tuple[str, ...]
    lost: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def session(name: str, *cells: str, probes: str, lost: str = "", needs: str = "") -> Session:
    lines = tuple(line.strip() for line in probes.strip().splitlines() if line.strip())
    return Session(name, cells, lines, tuple(lost.split()), tuple(needs.split()))


SHARING = [
    session("two names of one list", "a = [1]\nb = a", probes="b.append(2)\na\na is b"),
    session(
        "a list inside another", "row = [0]\ngrid = [row, row]", probes="row.append(1)\ngrid\ngrid[0] is grid[1] is row"
    ),
    session("an alias made cells later", "a = {'k': 1}", "c = 5", "b = a", probes="b['z'] = 2\na\na is b"),
    session("a change through an alias", "a = [1]\nb = a", "b.append(2)", "c = len(a)", probes="a\nb\nc\na is b"),
    session("a cycle", "d = {}\nd['self'] = d\nl = [d]", probes="d['self'] is d\nl[0] is d"),
    session("a sentinel", "MISSING = object()\nvalues = [MISSING, 1]", probes="values[0] is MISSING"),
    session("a sentinel as a default", "_M = object()\ndef f(x=_M):\n    return x is _M", probes="f()\nf(1)"),
    session(
        "a bound method",
        "class C:\n    def __init__(self): self.n = 0\n    def up(self):\n        self.n += 1\n        return self.n\nc = C()\nup = c.up",
        "up(); up()",
        probes="up()\nc.n\nup.__self__ is c",
    ),
    session(
        "a partial over a list",
        "import functools\nlog = []\nrec = functools.partial(log.append)",
        "rec(1)",
        probes="rec(2)\nlog",
    ),
    session(
        "a closure and its list",
        "def make():\n    xs = []\n    def add(x):\n        xs.append(x)\n        return xs\n    return add\nadd = make()\ninner = add(1)",
        "add(2)",
        probes="add(3)\ninner\nadd(4) is inner",
    ),
    session(
        "two closures of one cell",
        "def pair():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n        return n\n    def get(): return n\n    return up, get\nup, get = pair()",
        "up(); up()",
        probes="get()\nup()\nget()",
    ),
    session("a default list", "def f(x, seen=[]):\n    seen.append(x)\n    return seen", "f(1); f(2)", probes="f(3)"),
    session(
        "a function attribute",
        "def f():\n    f.calls += 1\n    return f.calls\nf.calls = 0",
        "f(); f(); f()",
        probes="f.calls\nf()",
    ),
    session(
        "a class attribute",
        "class Reg:\n    items = []\n    def __init__(self, x): Reg.items.append(x)",
        "a = Reg(1); b = Reg(2)",
        probes="Reg.items\nReg(3) and Reg.items\nisinstance(a, Reg)",
    ),
    session(
        "instances of one class",
        "class P:\n    def __init__(self, x): self.x = x\np = P(1)\nq = P(2)",
        probes="p.x, q.x\ntype(p) is type(q) is P",
    ),
    session(
        "an instance in two containers",
        "class N: pass\nn = N()\nn.v = 1\nd = {'n': n}\nl = [n]",
        probes="d['n'].v = 9\nn.v\nl[0] is n",
    ),
    session("a weak value dictionary's strong twin", "s = {1, 2}\nt = (s, s)", probes="t[0].add(3)\ns\nt[1] is s"),
    session(
        "a memoryview over a bytearray",
        "buf = bytearray(b'hello')\nview = memoryview(buf)[1:3]",
        probes="view[0] = 90\nbuf\nbytes(view)",
    ),
    session("a dict's list in a tuple", "k = {'a': []}\nt = (k['a'],)", probes="t[0].append(1)\nk"),
    session(
        "slots",
        "class S:\n    __slots__ = ('a', 'b')\ns = S()\ns.a = [1]\nr = s.a",
        probes="r.append(2)\ns.a\nhasattr(s, 'b')",
    ),
    session(
        "a named tuple and a dataclass",
        "from collections import namedtuple\nfrom dataclasses import dataclass, field\nPt = namedtuple('Pt', 'x y')\n@dataclass\nclass D:\n    v: list = field(default_factory=list)\np = Pt(1, [2])\nd = D(p.y)",
        probes="p\nd\nd.v is p.y\ntype(p) is Pt",
    ),
    session(
        "an enum",
        "import enum\nclass Color(enum.Enum):\n    RED = 1\n    BLUE = 2\nc = Color.RED\nd = {Color.BLUE: 1}",
        probes="c is Color.RED\nd[Color.BLUE]",
    ),
    session("an interned nothing", "x = None\ny = (1, 'a')\nz = y", probes="x\ny == z"),
]

NUMPY = [
    session(
        "a numpy view",
        "import numpy as np\na = np.arange(10)\nv = a[2:5]",
        probes="v[0] = 99\na\nnp.shares_memory(a, v)",
        needs="numpy",
    ),
    session(
        "a transpose",
        "import numpy as np\na = np.zeros((2, 3))\nt = a.T",
        "t[0, 1] = 5",
        probes="t[2, 0] = 7\na",
        needs="numpy",
    ),
    session(
        "a strided and a reversed view",
        "import numpy as np\na = np.arange(12)\ns = a[::3]\nr = a[::-1]",
        probes="s[1] = -1\nr[0] = -2\na",
        needs="numpy",
    ),
    session(
        "two views whose base has no name",
        "import numpy as np\nu, v = np.split(np.arange(8), 2)\nw = u.base if u.base is not None else u",
        probes="u[0] = 50\nw[0]\nv",
        needs="numpy",
    ),
    session(
        "a read-only array",
        "import numpy as np\na = np.arange(3)\na.flags.writeable = False",
        probes="a.flags.writeable\na",
        needs="numpy",
    ),
    session(
        "a structured array",
        "import numpy as np\na = np.zeros(2, dtype=[('x', 'i4'), ('y', 'f8')])\nx = a['x']",
        probes="x[0] = 3\na",
        needs="numpy",
    ),
    session(
        "an object array",
        "import numpy as np\ninner = [1]\na = np.array([inner, None], dtype=object)",
        probes="inner.append(2)\na[0]",
        needs="numpy",
    ),
    session(
        "frombuffer",
        "import numpy as np\nb = bytearray(8)\na = np.frombuffer(b, dtype='u1')",
        probes="a[0] = 7\nb",
        needs="numpy",
    ),
    session(
        "a large array and its view",
        "import numpy as np\nbig = np.arange(200_000, dtype='f8')\nhalf = big[::2]",
        probes="half[1] = -1.0\nbig[2]\nbig.sum()",
        needs="numpy",
    ),
    session(
        "a masked array",
        "import numpy as np\nm = np.ma.array([1, 2, 3], mask=[0, 1, 0])",
        probes="m\nm.sum()",
        needs="numpy",
    ),
    session(
        "a generator object",
        "import numpy as np\nrng = np.random.default_rng(5)\nx = rng.random()",
        probes="x\nrng.random()",
        needs="numpy",
    ),
    session(
        "the global numpy stream",
        "import numpy as np\nnp.random.seed(1)\na = np.random.rand(3)",
        "b = np.random.rand()",
        probes="a, b\nnp.random.rand()",
        needs="numpy",
    ),
    session(
        "an unseeded draw",
        "import numpy as np\na = np.random.rand(3)\nb = np.random.permutation(5)",
        probes="a\nb\nnp.random.rand()",
        needs="numpy",
    ),
]

PANDAS = [
    session(
        "a frame",
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2], 'b': ['x', None]})\ndf['c'] = df.a * 2",
        probes="df.to_dict()\nlist(df.dtypes.astype(str))",
        needs="pandas",
    ),
    session(
        "a frame changed in place",
        "import pandas as pd\ndf = pd.DataFrame({'a': [3, 1, 2]})",
        "df.sort_values('a', inplace=True)",
        "top = df.head(1)",
        probes="df.to_dict()\ntop.to_dict()",
        needs="pandas",
    ),
    session(
        "attrs and index",
        "import pandas as pd\ndf = pd.DataFrame({'a': [1]}, index=pd.date_range('2024', periods=1, tz='UTC'))\ndf.attrs['k'] = 'v'\ns = df['a'].astype('category')",
        probes="df.attrs\ndf.index\ns.cat.categories",
        needs="pandas",
    ),
    session(
        "pandas options",
        "import pandas as pd\npd.set_option('display.max_rows', 7)\nx = 1",
        probes="pd.get_option('display.max_rows')",
        needs="pandas",
    ),
    session(
        "a group by",
        "import pandas as pd\ndf = pd.DataFrame({'k': list('aab'), 'v': [1, 2, 3]})\ng = df.groupby('k')\nm = g.v.mean()",
        probes="m.to_dict()\ng.v.sum().to_dict()",
        needs="pandas",
    ),
    session(
        "lambdas over a frame",
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\nscale = 10\ndf['b'] = df.a.apply(lambda v: v * scale)",
        probes="df.to_dict()",
        needs="pandas",
    ),
]

UNSTORABLE = [
    session(
        "a half-consumed generator",
        "def count():\n    i = 0\n    while True:\n        yield i\n        i += 1\ng = count()",
        "next(g); next(g)",
        "x = next(g)",
        probes="x\nnext(g)\nnext(g)",
    ),
    session(
        "a generator expression over a list",
        "xs = [1, 2, 3]\ng = (x * 2 for x in xs)",
        "first = next(g)",
        probes="first\nlist(g)\nxs",
    ),
    session(
        "a generator read in a loop",
        "g = iter(x for x in range(10))\nfor v in g:\n    if v == 3:\n        break",
        probes="v\nnext(g)",
    ),
    session(
        "an iterator over a list",
        "xs = [1, 2, 3]\nit = iter(xs)",
        "a = next(it)",
        probes="a\nnext(it)\nxs.append(4)\nlist(it)",
    ),
    session(
        "enumerate and zip",
        "e = enumerate('abc')\nz = zip([1, 2], 'xy')",
        "next(e); next(z)",
        probes="next(e)\nnext(z)",
    ),
    session(
        "itertools",
        "import itertools\nc = itertools.count(5)\ncy = itertools.cycle('ab')",
        "next(c); next(cy)",
        probes="next(c)\nnext(cy)",
    ),
    session(
        "a lock",
        "import threading\nlock = threading.Lock()\nd = {'n': 1}",
        probes="lock.acquire(False)\nlock.locked()\nd",
    ),
    session("a held lock", "import threading\nlock = threading.Lock()", "_ok = lock.acquire()", probes="lock.locked()"),
    session(
        "an object with a lock",
        "import threading\nclass Box:\n    def __init__(self):\n        self.lock = threading.Lock()\n        self.items = []\n    def put(self, x):\n        with self.lock:\n            self.items.append(x)\nbox = Box()",
        "box.put(1)",
        "box.put(2)",
        probes="box.items\nbox.put(3)\nbox.items",
    ),
    session(
        "an in-memory database",
        "import sqlite3\ndb = sqlite3.connect(':memory:')\ndb.execute('create table t (x)')",
        "db.executemany('insert into t values (?)', [(1,), (2,)])",
        "n = db.execute('select count(*) from t').fetchone()",
        probes="n\ndb.execute('select sum(x) from t').fetchone()",
    ),
    session(
        "a hash object",
        "import hashlib\nh = hashlib.sha256()\nh.update(b'abc')",
        "h.update(b'def')",
        probes="h.hexdigest()",
    ),
    session("a lambda", "k = 3\nf = lambda x: x + k", probes="f(1)\nf.__name__"),
    session(
        "lambdas in a dict",
        "ops = {'add': lambda a, b: a + b, 'neg': lambda a: -a}",
        probes="ops['add'](1, 2)\nops['neg'](4)",
    ),
    session(
        "a decorated function",
        "calls = []\ndef spy(f):\n    def wrapper(*a):\n        calls.append(a)\n        return f(*a)\n    return wrapper\n@spy\ndef double(x): return 2 * x",
        "double(4)",
        probes="double(5)\ncalls",
    ),
    session(
        "a cached function",
        "import functools\n@functools.lru_cache(None)\ndef fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)\nv = fib(20)",
        probes="v\nfib(21)",
    ),
    session(
        "a local class",
        "def factory(k):\n    class L:\n        def get(self): return k\n    return L\nL = factory(7)\nobj = L()",
        probes="obj.get()\ntype(obj) is L",
    ),
    session(
        "a text stream", "import io\nf = io.StringIO('one\\ntwo\\nthree')\nl = f.readline()", probes="l\nf.readline()"
    ),
    session(
        "an open file",
        "with open('notes.txt', 'w') as f:\n    _ = f.write('one\\ntwo\\nthree\\n')\nfh = open('notes.txt')\nfirst = fh.readline()",
        probes="first\nfh.readline()",
    ),
    session(
        "a thread pool",
        "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\nr = list(pool.map(abs, [-1, 2]))",
        probes="r\nlist(pool.map(abs, [-3]))",
    ),
    session("a weak reference", "import weakref\nclass O: pass\no = O()\nw = weakref.ref(o)", probes="w() is o"),
    session(
        "a coroutine function",
        "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + 1\ny = await f(1)",
        probes="y\nf(2).send(None) is None\nasyncio.iscoroutinefunction(f)",
    ),
]

WORLD = [
    session(
        "the random stream",
        "import random\nrandom.seed(3)\na = random.random()",
        "b = random.random()",
        probes="a, b\nrandom.random()",
    ),
    session(
        "an unseeded shuffle", "import random\nxs = list(range(9))\nrandom.shuffle(xs)", probes="xs\nrandom.random()"
    ),
    session("the clock", "import time\nt0 = time.time()\nx = [t0]", probes="t0 == x[0]\nrepr(t0)"),
    session("a fresh uuid", "import uuid\nu = uuid.uuid4()\nname = f'run-{u}'", probes="u\nname"),
    session(
        "an environment variable",
        "import os\nos.environ['NB_MODE'] = 'fast'\nmode = os.environ['NB_MODE']",
        probes="os.environ['NB_MODE']\nmode",
    ),
    session("the search path", "import sys\nsys.path.append('/opt/somewhere')", probes="'/opt/somewhere' in sys.path"),
    session(
        "warnings filters",
        "import warnings\nwarnings.filterwarnings('ignore', message='noisy')\nx = 1",
        probes="any(f[0] == 'ignore' and f[1] is not None and f[1].pattern == 'noisy' for f in warnings.filters)",
    ),
    session(
        "the decimal context",
        "import decimal\ndecimal.getcontext().prec = 7\nd = decimal.Decimal(1) / 3",
        probes="d\ndecimal.Decimal(1) / 7",
    ),
    session(
        "logging levels",
        "import logging\nlogging.getLogger('my').setLevel(logging.DEBUG)\nlog = logging.getLogger('my')",
        probes="log.level\nlog is logging.getLogger('my')",
    ),
    session(
        "a working directory",
        "import os\nos.makedirs('sub', exist_ok=True)\nos.chdir('sub')\nhere = os.path.basename(os.getcwd())",
        probes="here",
    ),
    session(
        "a file read and deleted",
        "import os\nwith open('in.txt', 'w') as f:\n    _ = f.write('42')\nvalue = int(open('in.txt').read())\nos.remove('in.txt')",
        probes="value",
    ),
    session(
        "a file read and rewritten",
        "open('in2.txt', 'w').write('1')\nvalue = open('in2.txt').read()",
        "open('in2.txt', 'w').write('2')",
        probes="value",
    ),
    session("the recursion limit", "import sys\nsys.setrecursionlimit(4321)\nx = 0", probes="sys.getrecursionlimit()"),
]

VALUES = [
    session("numbers", "i = 10**40\nf = -0.0\nc = 1 + 2j\nn = float('nan')\nb = True", probes="i\nf\nc\nn\nb"),
    session("texts", "s = 'äöü\\U0001F600'\nlone = '\\udc80'\nb = b'\\x00\\xff'", probes="s\nlone\nb"),
    session(
        "containers",
        "import collections\nd = {1: 'a', (2, 3): {4}}\nod = collections.OrderedDict(a=1)\ndd = collections.defaultdict(list, k=[1])\ndq = collections.deque([1, 2], maxlen=3)\nct = collections.Counter('aab')",
        probes="d\nod\ndd['new']\ndd\ndq.append(3) or dq.append(4) or dq\nct",
    ),
    session(
        "dates and decimals",
        "import datetime, decimal, fractions\nd = datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc)\nx = decimal.Decimal('1.10')\nf = fractions.Fraction(1, 3)",
        probes="d\nx\nf",
    ),
    session(
        "paths and patterns",
        "import pathlib, re\np = pathlib.Path('a/b')\nr = re.compile('x+', re.I)",
        probes="p\nr.pattern, r.flags",
    ),
    session(
        "a deep list",
        "deep = []\nfor _ in range(20000):\n    deep = [deep]",
        probes="len(deep)\n(lambda d: [d := d[0] for _ in range(19999)] and len(d))(deep)",
    ),
    session(
        "a linked list of nodes",
        "class Node:\n    def __init__(self, v, nxt): self.v, self.nxt = v, nxt\nhead = None\nfor i in range(5000):\n    head = Node(i, head)",
        probes="head.v\nhead.nxt.nxt.v",
    ),
    session(
        "modules",
        "import math as m, os.path\nfrom json import dumps",
        probes="m.pi\nos.path.join('a', 'b')\ndumps([1])",
    ),
    session(
        "type aliases",
        "from typing import List, Dict\nRow = Dict[str, List[int]]\nrows: Row = {'a': [1]}",
        probes="rows\nstr(Row)",
    ),
    session(
        "an exception", "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    err = e", probes="type(err)\nerr.args"
    ),
    session("a lambda default and a kwonly", "def f(a, *, k=[1], **kw): return a, k, kw", probes="f(1)\nf(2, z=3)"),
    session(
        "a property and a classmethod",
        "class T:\n    _c = 0\n    @property\n    def c(self): return self._c\n    @classmethod\n    def make(cls): return cls()\n    @staticmethod\n    def s(): return 's'\nt = T.make()",
        "T._c = 5",
        probes="t.c\nT.s()\nT._c",
    ),
    session(
        "inheritance and super",
        "class A:\n    def hi(self): return 'A'\nclass B(A):\n    def hi(self): return super().hi() + 'B'\nb = B()",
        probes="b.hi()\nB.__mro__[1] is A",
    ),
    session(
        "an abstract base",
        "import abc\nclass Base(abc.ABC):\n    @abc.abstractmethod\n    def f(self): ...\nclass Impl(Base):\n    def f(self): return 1\nx = Impl()",
        probes="x.f()\nisinstance(x, Base)",
    ),
    session(
        "a string subclass",
        "class Name(str):\n    pass\nn = Name('x')\nn.extra = [1]",
        probes="n\nn.extra\ntype(n) is Name",
    ),
    session(
        "underscore names",
        "_private = [1]\n__dunderish = 2\n_ignored, keep = (3, 4)",
        probes="_private\n_ignored\nkeep",
    ),
]

CELLS = [
    session("%%time", "%%time\nx = sum(range(10))\ny = [x]", "y.append(1)", probes="x\ny"),
    session("%%capture", "%%capture out\nprint('hi')\nz = 3", probes="z\nout.stdout"),
    session("%time and %matplotlib", "%time a = 5\nb = a + 1", probes="a, b"),
    session("a shell line", "files = !echo one two\nn = len(files)", probes="n\nlist(files)"),
    session("a cell run three times", "n = 0", "n += 1", "n += 1", "n += 1", probes="n"),
    session("a name defined anew", "x = 1", "def f(): return x", "x = 2", probes="f()\nx"),
    session(
        "a class redefined, its instance kept",
        "class A:\n    v = 1\na = A()",
        "class A:\n    v = 2\nb = A()",
        probes="a.v\nb.v\ntype(a) is A\ntype(b) is A",
    ),
    session(
        "a function redefined, the old one kept", "def f(): return 1\ng = f", "def f(): return 2", probes="f()\ng()"
    ),
    session("a deleted name", "x = 1\ny = [x]\ndel x", probes="y\n'x' in globals()"),
    session("exec", "exec('hidden = [1, 2]')", "hidden.append(3)", probes="hidden"),
    session("globals()", "globals()['made'] = {'k': 1}", probes="made"),
    session("eval and a string", "secret = 41\nv = eval('secret + 1')", probes="v\nsecret"),
    session(
        "a cell that fails half-way",
        "a = 1\nraise ValueError('x')\nb = 2",
        "c = a + 1",
        probes="a, c\n'b' in globals()",
    ),
    session("a syntax error between", "a = 1", "def (:", "b = a", probes="a, b"),
    session(
        "a monkey patch",
        "class W:\n    def go(self): return 'old'\nw = W()",
        "W.go = lambda self: 'new'",
        probes="w.go()\nW().go()",
    ),
    session("a loop variable", "total = 0\nfor i in range(4):\n    total += i", probes="i, total"),
    session(
        "a walrus and a comprehension",
        "xs = [y := n * 2 for n in range(3)]\nif (m := len(xs)) > 2:\n    big = True",
        probes="xs, y, m, big",
    ),
    session("a star import", "from math import *\nr = sqrt(16)", probes="r\ncos(0)"),
    session("a mutating helper", "def fill(d):\n    d['k'] = len(d)\nd = {}", "fill(d)", "fill(d)", probes="d"),
    session(
        "a hidden global change",
        "state = {'n': 0}\ndef tick():\n    state['n'] += 1",
        "tick()",
        "tick(); tick()",
        probes="state\ntick() or state",
    ),
    session(
        "a method that changes a global",
        "log = []\nclass L:\n    def write(self, m): log.append(m)\nw = L()",
        "w.write('a')",
        probes="log\nw.write('b') or log",
    ),
    session(
        "a global set by a function",
        "def setup():\n    global cfg\n    cfg = {'a': 1}\nsetup()",
        "cfg['b'] = 2",
        probes="cfg",
    ),
    session(
        "getsource",
        "def f(x):\n    # a comment\n    return x + 1\ny = f(1)",
        probes="__import__('inspect').getsource(f)",
    ),
    session("a name that shadows a builtin", "list = [1, 2]\nprint = None\nx = len(list)", probes="list, x, print"),
    session(
        "registering decorator",
        "REG = {}\ndef reg(f):\n    REG[f.__name__] = f\n    return f\n@reg\ndef one(): return 1",
        "@reg\ndef two(): return 2",
        probes="sorted(REG)\nREG['one'] is one\nREG['two']()",
    ),
    session(
        "a context manager",
        "import contextlib\n@contextlib.contextmanager\ndef ctx(l):\n    l.append('in')\n    yield l\n    l.append('out')\nl = []\nwith ctx(l) as got:\n    got.append('mid')",
        probes="l\ngot is l",
    ),
    session(
        "match",
        "cmd = {'op': 'add', 'args': [1, 2]}\nmatch cmd:\n    case {'op': op, 'args': [a, *rest]}:\n        found = True",
        probes="op, a, rest, found",
    ),
    session(
        "try and except",
        "try:\n    import no_such_module_xyz\nexcept ImportError:\n    no_such_module_xyz = None\n    fallback = True",
        probes="no_such_module_xyz\nfallback",
    ),
    session(
        "a future import",
        "from __future__ import annotations\ndef f(x: Undefined) -> AlsoUndefined: return x",
        probes="f(1)\nf.__annotations__",
    ),
]

SKLEARN = [
    session(
        "a fitted model",
        "import numpy as np\nfrom sklearn.linear_model import LogisticRegression\nrng = np.random.default_rng(0)\nX = rng.normal(size=(50, 3))\ny = (X[:, 0] > 0).astype(int)",
        "clf = LogisticRegression().fit(X, y)",
        "acc = clf.score(X, y)",
        probes="acc\nclf.predict(X[:5])\nclf.coef_",
        needs="sklearn",
    ),
    session(
        "an unseeded forest",
        "from sklearn.datasets import load_iris\nfrom sklearn.ensemble import RandomForestClassifier\nd = load_iris()\nrf = RandomForestClassifier(20).fit(d.data, d.target)",
        probes="rf.predict_proba(d.data[:3])",
        needs="sklearn",
    ),
    session(
        "a pipeline that shares a step",
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import StandardScaler\nsc = StandardScaler()\npipe = make_pipeline(sc)\npipe.fit([[0.0], [2.0]])",
        probes="sc.mean_\npipe.steps[0][1] is sc",
        needs="sklearn",
    ),
    session(
        "a plot",
        "import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nline, = ax.plot([1, 3, 2])",
        "ax.set_title('t')",
        probes="ax.get_title()\nlist(line.get_ydata())\nax.figure is fig",
        needs="matplotlib",
    ),
]

WILD = [
    session(
        "a module beside the notebook",
        "open('utils_nb.py', 'w').write('K = [1]\\ndef f(x): return x + 1\\nclass C:\\n    def __init__(self, v): self.v = v\\n')",
        "import utils_nb\nfrom utils_nb import f, C\nc = C(3)\ny = f(2)",
        "utils_nb.K.append(2)",
        probes="y\nc.v\nf(5)\nutils_nb.K\ntype(c) is utils_nb.C",
    ),
    session(
        "a package beside the notebook",
        "import os\nos.makedirs('pkg_nb', exist_ok=True)\nopen('pkg_nb/__init__.py', 'w').write('from .sub import z\\n')\nopen('pkg_nb/sub.py', 'w').write('z = [1]\\nclass Q: pass\\n')",
        "import pkg_nb.sub as ps\nq = ps.Q()\nps.z.append(2)",
        probes="ps.z\ntype(q) is ps.Q\n__import__('pkg_nb').z is ps.z",
    ),
    session(
        "%%writefile and an import of it",
        "%%writefile helper_nb.py\nX = 3\ndef g(): return X\n",
        "import helper_nb\nv = helper_nb.g()",
        probes="v\nhelper_nb.g()\n__import__('inspect').getsource(helper_nb.g)",
    ),
    session(
        "a module made by hand",
        "import sys, types\nm = types.ModuleType('fakemod')\nm.val = [1]\nsys.modules['fakemod'] = m\nimport fakemod\nfrom fakemod import val",
        probes="fakemod.val is val\nm is fakemod\n__import__('fakemod').val",
    ),
    session(
        "a patched library function",
        "import numpy as np\n_orig = np.mean\nnp.mean = lambda *a, **k: 42\nx = np.mean([1, 2])",
        probes="x\nnp.mean([1])\nfloat(_orig([1, 3]))",
        needs="numpy",
    ),
    session(
        "values set in a library",
        "import math, json\njson.dumps.tag = 1\nmath.tau2 = 6.28\nsetattr(json, 'MY', [1])",
        probes="math.tau2\njson.MY\njson.dumps.tag",
    ),
    session(
        "a patched library class",
        "import collections\nfrom fractions import Fraction\nFraction.twice = lambda self: self * 2\nf = Fraction(1, 2)",
        "collections.Counter.five = lambda s: 5",
        probes="f.twice()\ncollections.Counter().five()",
    ),
    session(
        "an option that is a function",
        "import pandas as pd, numpy as np\npd.set_option('display.float_format', lambda x: '%.3f' % x)\ndf = pd.DataFrame({'a': [1.23456]})",
        "np.set_printoptions(formatter={'float': lambda v: f'<{v}>'})",
        probes="str(df)\nstr(np.array([1.5]))",
        needs="pandas",
    ),
    session(
        "an option set through an attribute",
        "import pandas as pd\npd.options.display.float_format = '{:.1f}'.format\ndf = pd.DataFrame({'a': [1.234]})",
        probes="str(df)",
        needs="pandas",
    ),
    session(
        "a virtual subclass",
        "import abc\nclass B(abc.ABC): pass\nclass X: pass\nB.register(X)",
        "B.register(int)",
        probes="issubclass(X, B)\nisinstance(3, B)\nisinstance('s', B)",
    ),
    session(
        "a function renamed and documented",
        "def f(): return 1\nf.__doc__ = 'hey'\nf.__name__ = 'ff'",
        probes="f.__doc__, f.__name__",
    ),
    session(
        "a database in a file",
        "import sqlite3\ndb = sqlite3.connect('t.db')\ndb.execute('create table t (x)')",
        "db.execute('insert into t values (1)'); db.commit()",
        "rows = db.execute('select * from t').fetchall()",
        probes="rows\ndb.execute('select count(*) from t').fetchone()",
    ),
    session(
        "a frame from a database, closed since",
        "import pandas as pd, sqlite3\ncon = sqlite3.connect('v.db')\npd.DataFrame({'a': [1, 2]}).to_sql('t', con, index=False)\ndf = pd.read_sql('select * from t', con)\ncon.close()",
        probes="df.to_dict()\ncon.execute('select 1')",
        needs="pandas",
    ),
    session(
        "a reader over a file rewritten since",
        "import csv\nopen('r.csv', 'w').write('a,b\\nc,d\\n')\nrd = csv.reader(open('r.csv'))\nrow = next(rd)\nkeep = [1]",
        "open('r.csv', 'w').write('x,y\\n')",
        probes="row, keep",
        lost="rd",
    ),
    session(
        "__getstate__ and __reduce__ that lose",
        "class P:\n    __slots__ = ('a', 'b')\n    def __getstate__(self): return {'a': self.a}\n    def __setstate__(self, s):\n        self.a = s['a']\n        self.b = 'reset'\nclass R:\n    def __init__(self, x): self.x, self.log = x, []\n    def __reduce__(self): return R, (self.x,)\np = P()\np.a, p.b = 1, [2]\nr = R(1)",
        "p.a = 5\nr.log.append('a')",
        probes="p.a, p.b\nr.x, r.log",
    ),
    session(
        "a late thread",
        "import threading, time\nout = []\ndef work():\n    time.sleep(0.3)\n    out.append('late')\nth = threading.Thread(target=work)\nth.start()",
        "time.sleep(0.6)",
        "y = 2",
        probes="out, y",
    ),
    session(
        "a change by a signal",
        "import os, signal\nhits = []\n_ = signal.signal(signal.SIGUSR2, lambda s, f: hits.append(int(s)))",
        "os.kill(os.getpid(), signal.SIGUSR2)",
        "n = len(hits)",
        probes="hits, n",
    ),
    session(
        "out of order and edited",
        "x = 1",
        "y = x + 1",
        "x = 10",
        "z = y + x",
        "y = x * 2",
        "def f(): return y\nr = [f()]",
        "def f(): return z\nr.append(f())",
        probes="x, y, z, r, f()",
    ),
    session(
        "a failure in the middle of a loop",
        "acc = []\nfor i in range(5):\n    acc.append(i)\n    if i == 3: raise RuntimeError\n    j = i",
        "m = len(acc)",
        probes="acc, i, j, m",
    ),
    session(
        "deleted by a function and made again",
        "tmp = [1]\nkeep = tmp\ndef clean():\n    global tmp\n    del tmp\nclean()",
        "tmp = 'new'",
        probes="tmp, keep",
    ),
    session(
        "a metaclass that registers",
        "reg = {}\nclass Meta(type):\n    def __new__(m, n, b, ns, **kw):\n        c = super().__new__(m, n, b, ns)\n        reg[n] = c\n        c.kw = kw\n        return c\nclass A(metaclass=Meta, flag=1): pass\nclass B(A): pass\nb = B()",
        probes="sorted(reg)\nreg['B'] is B\nA.kw, b.kw",
    ),
    session(
        "objects changed under their class",
        "class A: v = 'A'\nclass B: v = 'B'\na = A()",
        "a.__class__ = B\nb = A()\nb.__dict__ = a.__dict__\nb.z = 2",
        probes="a.v, b.v\na.z\na.__dict__ is b.__dict__",
    ),
    session(
        "instances that share their attributes",
        "class Borg:\n    _s = {}\n    def __init__(self): self.__dict__ = self._s\na = Borg()\na.x = 1\nd = vars(a)",
        "b = Borg()\nb.y = [2]",
        probes="a.__dict__ is b.__dict__ is Borg._s is d\nb.z = 1\na.z\na.y is b.y",
    ),
    session(
        "itertools half-way",
        "import itertools as it\na, b = it.tee(iter([1, 2, 3]))\nnext(a)\nch = it.chain([1], iter([2, 3]))\nnext(ch)\ngb = it.groupby('aabb')\nk, grp = next(gb)\npr = it.product('ab', [1])\nnext(pr)",
        probes="list(a), list(b)\nlist(ch)\nk, list(grp)\nlist(pr)",
    ),
    session(
        "a generator that is sent to",
        "def gen():\n    seen = []\n    while True:\n        seen.append((yield seen))\ng = gen()\ns = next(g)",
        "g.send(1)",
        probes="s\ng.send(2) is s\ns",
    ),
]

# What was found by trying.
FOUND = [
    session(
        "functions known by who holds them",
        "def mk():\n    def f(x): return x + 1\n    return f\na = mk()\nb = a\nc = mk()\nreg = {'f': a}",
        "fs = []\nfor i in range(3):\n    def g(x): return x\n    fs.append(g)\nfirst = fs[0]\nhs = {n: (lambda v: v * 2) for n in 'ab'}\nh = hs['a']",
        probes="a is b is reg['f'], a is c\na(1), c(2)\nfs[-1] is g, first is fs[0], fs[0] is fs[1]\nh is hs['a'], h is hs['b'], h(2)",
    ),
    session(
        "classes under other names",
        "import enum\nfrom collections import namedtuple\nfrom typing import NamedTuple\nN = namedtuple('M', 'x')\nn, m = N(1), [N(2)]\nT = type('Q', (), {'z': 1})\nt = T()\nE = enum.Enum('F', 'A B')\ne, d = E.A, {E.B: 1}\nP = NamedTuple('PP', [('x', int)])\np = P(1)",
        "class A: k = []\nB = A\nb = B()\ndel A\nB.k.append(1)",
        probes="type(n) is N is type(m[0])\nT.z = 5\nt.z\ne is E.A, d[E.B]\ntype(p) is P, P.__annotations__\ntype(b) is B, b.k is B.k, B.k",
    ),
    session(
        "a function redefined and held",
        "def f(): return 1\nheld = f\nd = {'f': f}",
        "def f(): return 2",
        probes="held(), f(), d['f']()\nd['f'] is held",
    ),
    session(
        "registrations by a bare call",
        "import sqlite3, copyreg, copy, codecs, faulthandler\nimport collections.abc as cabc\nclass P:\n    def __init__(self, x): self.x = x\n    def __len__(self): return 3\nsqlite3.register_adapter(P, lambda p: p.x)\ncopyreg.pickle(P, lambda p: (P, (p.x + 1,)))\np = P(1)",
        "def search(n):\n    return codecs.CodecInfo(lambda s, e='strict': (s.upper().encode(), len(s)), None, name=n) if n == 'rot1' else None\ncodecs.register(search)\ncodecs.register_error('dash', lambda e: ('-', e.end))\ncabc.Sized.register(P)\nf = open('fh.txt', 'w')\nfaulthandler.enable(f)",
        probes="sqlite3.connect(':memory:').execute('select ?', (P(4),)).fetchone()\ncopy.copy(p).x\n'ab'.encode('rot1')\n'a\\xe9'.encode('ascii', 'dash')\nisinstance(p, cabc.Sized)\nfaulthandler.is_enabled()",
    ),
    session(
        "an accessor registered by a call",
        "import pandas as pd\nclass Geo:\n    def __init__(self, o): self._o = o\n    def n(self): return len(self._o)\npd.api.extensions.register_series_accessor('geo2')(Geo)\ns = pd.Series({'a': 1})\ndef add():\n    pd.DataFrame.rows = lambda self: len(self)\nadd()",
        probes="s.geo2.n()\npd.DataFrame({'a': [1]}).rows()",
        needs="pandas",
    ),
    session(
        "libraries patched in a called function",
        "import textwrap\nfrom fractions import Fraction\ndef patch():\n    textwrap.dedent = lambda o, **k: 'patched'\ndef put(mod, name, v): setattr(mod, name, v)\ndef extend(cls):\n    cls.thrice = lambda s: s * 3",
        "patch()\nput(textwrap, 'MYV', [1])\nextend(Fraction)\nx = textwrap.dedent(' 1')",
        probes="x\ntextwrap.dedent('2')\ntextwrap.MYV\nFraction(1, 3).thrice()",
    ),
    session(
        "text executed in a module",
        "import types, sys\nm = types.ModuleType('mm')\nexec('x = [1]\\ndef f(): return x', m.__dict__)\ng = m.f",
        "m2 = types.ModuleType('mm2')\nexec('class K: pass', m2.__dict__)\nsys.modules['mm2'] = m2\nimport mm2\nk = mm2.K()",
        probes="m.f() is m.x, g is m.f, g()\ntype(k) is m2.K, m2 is mm2",
    ),
    session(
        "a NaN and who holds it",
        "import numpy as np, math\nnan = float('nan')\na = [nan, 1.0, np.nan]\nb = (nan, 2)\nd = {np.nan: 1, nan: 'x'}",
        probes="nan in a, nan in b, a.index(nan)\nnp.nan in a, np.nan in d, d.get(nan)",
        needs="numpy",
    ),
    session(
        "%run of a script",
        "open('scr.py', 'w').write('class C:\\n    def __init__(self, v): self.v = v\\ndef f(x): return x + K\\nK = 10\\nc = C(3)\\nfn = lambda x: x*2\\n')",
        "%run scr.py",
        "y = f(1)\nd = C(4)",
        probes="y, f(2), fn(2), K\nc.v, type(c) is C is type(d)",
    ),
    session(
        "figures and their numbers",
        "import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\nfig = plt.figure(7)\nax = fig.add_subplot()\nline, = ax.plot([1, 2])\nfig2 = plt.figure('named')",
        "plt.figure(7)\nline.set_color('red')\nnorm = matplotlib.colors.Normalize(0, 5)\nplt.rcParams['lines.linewidth'] = 7",
        probes="plt.get_fignums()\nplt.gcf() is fig, plt.figure(7) is fig, ax.lines[0] is line\nfig2.get_label(), line.get_color(), float(norm(2.5)), plt.rcParams['lines.linewidth']",
        needs="matplotlib",
    ),
    session(
        "names and annotations changed",
        "class C:\n    a: int = 1\n    class Inner:\n        items = []\nc, i = C(), C.Inner()\ndef f(x): return x",
        "C.__name__ = C.__qualname__ = 'Dee'\nC.__annotations__['b'] = str\nf.__annotations__['x'] = int",
        "i.items.append(2)",
        probes="C.__name__, C.__qualname__, C.__annotations__, type(c) is C\nf.__annotations__\nC.Inner.items, type(i) is C.Inner",
    ),
    session(
        "classes that watch who asks",
        "log = []\nclass G:\n    def __init__(self): self.v = 1\n    def __getattribute__(self, n):\n        log.append(n)\n        return object.__getattribute__(self, n)\ng = G()\ndel log[:]",
        "class Proxy:\n    def __init__(self, t): self._t = t\n    def __getattr__(self, n): return getattr(self._t, n)\nt = [1]\np = Proxy(t)\nq = [p, p]",
        "p.append(2)",
        probes="log\ng.v\np.append(3)\nt\nq[0] is q[1] is p, p._t is t",
    ),
    session(
        "handlers, filters and locks",
        "import logging, io, threading\nbuf = io.StringIO()\nlg = logging.getLogger('app')\nh = logging.StreamHandler(buf)\nh.setFormatter(logging.Formatter('%(levelname)s:%(message)s'))\nlg.addHandler(h)\nlg.setLevel('INFO')\nlg.propagate = False",
        "seen = []\nclass F(logging.Filter):\n    def filter(self, r):\n        seen.append(r.getMessage())\n        return True\nlogging.getLogger('app').addFilter(F())\nlg.info('one')",
        "lock = threading.Lock()\ncond = threading.Condition(lock)",
        probes="lg.info('two')\nbuf.getvalue()\nlg.handlers == [h], h.stream is buf, lg.propagate\nseen\ncond._lock is lock, lock.locked()",
    ),
    session(
        "iterators of every kind, half-way",
        "import itertools as it, csv, re, struct\nsl = it.islice(range(10), 2, 8, 2)\nac = it.accumulate([1, 2, 3])\nrd = csv.reader(['a,b', 'c,d'])\nfi = re.compile(r'\\d+').finditer('1 2 3')\nrv = reversed([1, 2, 3])\nmp = map(lambda v: v * 2, [1, 2, 3])\nun = struct.Struct('<ih').iter_unpack(struct.pack('<ihih', 1, 2, 3, 4)[:12])",
        "for i in (sl, ac, rd, fi, rv, mp, un): next(i)",
        probes="list(sl), list(ac), list(rd)\nnext(fi).group(), list(rv), list(mp), list(un)",
    ),
    session(
        "arrays of every kind",
        "import numpy as np\nfrom numpy.lib.stride_tricks import as_strided\no = np.empty(2, object)\no[0], o[1] = o, [1]\nv = o[1:]\na = np.arange(24.)\nd = a.reshape(2, 3, 4)[1].T[1:, ::2]\nw = as_strided(a, (2, 3), (8, 8), writeable=True)\nr = np.rec.array([(1, 'a'), (2, 'b')], names='n,s')\nrow = r[0]\nz = np.array(5)\nz1 = z.reshape(1)\ng = np.random.Generator(np.random.PCG64(3))\nh = np.random.Generator(g.bit_generator)\nk = 10\nuf = np.frompyfunc(lambda x, y: x + y + k, 2, 1)",
        "k = 20",
        probes="o[0] is o\nv[0] = 5\no[1]\nd[0, 0] = -5\nw[1, 2] = -1\na\nrow.n = 7\nr[0].n\nz1[0] = 9\nint(z)\ng.random(), h.random()\nuf(1, 2)",
        needs="numpy",
    ),
    session(
        "attributes hung on values of libraries",
        "import pandas as pd, numpy as np, random, datetime, collections\nxs = [1]\ndf = pd.DataFrame({'a': [1, 2]})\ns, i = df.a.copy(), pd.Index([1, 2])\nm, r = np.ma.array([1, 2]), random.Random(3)\nclass Day(datetime.date): pass\nclass Tally(collections.defaultdict): pass\nd, t = Day(2024, 5, 1), Tally(int)",
        "df.note = s.note = xs\ndf.name = 'sales'\ni.note, m.note, r.note, d.holiday, t.note = 'i', {'k': 1}, (1,), True, 5",
        "def hang(o): o.more = 7\nhang(df)",
        probes="xs.append(2)\ndf.note is s.note is xs\ndf.note, df.name, df.more\ni.note, m.note, r.note, d.holiday, t.note\nr.random()",
        needs="pandas",
    ),
    session(
        "weak references without and with a callback",
        "import weakref\nclass C: pass\nc = C()\nbig = [c] * 3",
        "r = weakref.ref(big[0])",
        "e = C()\nseen = []\nw = weakref.ref(e, lambda _: seen.append(1))",
        "c.k = e.k = 2",
        probes="r() is c is big[1], w() is e\ndel e\nseen",
    ),
    session(
        "asynchronous generators half-way",
        "async def count():\n    for i in range(9):\n        yield i\ng, h = count(), count()",
        "a = await g.__anext__()",
        "b = await g.__anext__()\nasync for v in h:\n    if v == 3: break",
        probes="a, b, v\ng.__anext__().send(None)\nh.__anext__().send(None)",
    ),
    session(
        "cells that a cell runs",
        "get_ipython().run_cell('g = (i for i in range(9))\\nkept = [1]')",
        "first = next(g)\nkept.append(2)",
        probes="first, next(g)\nkept",
    ),
    session(
        "what asks IPython is named",
        "kept = [1]",
        "ip = get_ipython()\nw = ip.user_ns['kept']",
        probes="w is kept, kept",
        lost="ip",
    ),
    session(
        "frames of every kind",
        "import pandas as pd\nl = [1]\ndf = pd.DataFrame({'o': [l, l, None], 'n': [1, 2, 3]})\ns, d2, it = df['o'], df.copy(), df.itertuples()\n_row = next(it)\ng = df.groupby('n')\nro = df.n.rolling(2)\niv = pd.Interval(0, 5, closed='left')\npi = pd.period_range('2024', periods=3, freq='Q')\nx = pd.array([1, None], dtype='Int64')\nclass SDF(pd.DataFrame):\n    _metadata = ['tag']\n    @property\n    def _constructor(self): return SDF\nsd = SDF({'a': [1, 2]})\nsd.tag = l",
        probes="l.append(2)\ndf.o[0], df.o[0] is df.o[1] is d2.o[0] is s[0]\nnext(it).n\ng.n.sum().to_dict(), ro.sum().tolist()\n3 in iv, pi, x\nsd.tag is l, type(sd.head(1)) is SDF",
        needs="pandas",
    ),
]

SESSIONS = [*SHARING, *NUMPY, *PANDAS, *UNSTORABLE, *WORLD, *VALUES, *CELLS, *SKLEARN, *WILD, *FOUND]
