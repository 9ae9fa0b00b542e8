"""Which variables share state: notebooks, and the groups of two and more names that each of them must give.

``"a b | c d"`` are two groups. Names that a notebook makes besides are not looked at.
"""

from __future__ import annotations

LINKED: dict[str, tuple[str, str]] = {
    "one list, two names": ("a = []; b = a", "a b"),
    "list in a list": ("a = []; b = [a]", "a b"),
    "a plain weak reference to an instance": (
        "class C: pass\na = C(); b = weakref.ref(a); c = [weakref.ref(a)]",
        "a b c",
    ),
    "list in a tuple": ("a = []; b = (1, a)", "a b"),
    "list in a frozen tuple of tuples": ("a = []; b = ((a,),); c = ((a,), 2)", "a b c"),
    "list as a dict value": ("a = []; b = {'k': a}", "a b"),
    "instance as a dict key": ("class K: pass\na = K(); b = {a: 1}", "a b"),
    "instance in a set": ("class K: pass\na = K(); b = {a}", "a b"),
    "list in a deque": ("a = []; b = collections.deque([a])", "a b"),
    "list in a defaultdict": ("a = []; b = collections.defaultdict(list, k=a)", "a b"),
    "list in an OrderedDict": ("a = []; b = collections.OrderedDict(k=a)", "a b"),
    "list in a ChainMap": ("a = {}; b = collections.ChainMap(a)", "a b"),
    "list in a namespace": ("a = []; b = types.SimpleNamespace(x=a)", "a b"),
    "list behind a mapping proxy": ("a = {}; b = types.MappingProxyType(a)", "a b"),
    "an attribute": ("class C: pass\na = []; b = C(); b.x = a", "a b"),
    "an attribute whose dict was asked for": ("class C: pass\na = []; b = C(); b.x = a; vars(b)", "a b"),
    "a slot": ("class C: __slots__ = ('x',)\na = []; b = C(); b.x = a", "a b"),
    "a dataclass field": ("@dataclasses.dataclass\nclass C:\n    x: list\na = []; b = C(a)", "a b"),
    "a namedtuple field": ("P = collections.namedtuple('P', 'x'); a = []; b = P(a)", "a b"),
    "a shared __dict__": (
        "class C: pass\na = C(); b = C(); b.__dict__ = a.__dict__",
        "a b",
    ),
    "a closure cell": ("def f():\n    x = []\n    return x, lambda: x\na, b = f()", "a b"),
    "two closures over one number": (
        "def f():\n    n = 0\n    def add():\n        nonlocal n; n += 1\n    return add, lambda: n\na, b = f()",
        "a b",
    ),
    "a default argument": ("a = []\ndef b(x=a): pass", "a b"),
    "a keyword default": ("a = []\ndef b(*, x=a): pass", "a b"),
    "a function attribute": ("a = []\ndef b(): pass\nb.cache = a", "a b"),
    "function with state in a list": ("def a(x=[]): pass\nb = [a]", "a b"),
    "a bound method": ("class C:\n    def m(self): pass\na = C(); b = a.m", "a b"),
    "a bound builtin method": ("a = []; b = a.append", "a b"),
    "a method wrapper": ("a = []; b = a.__len__", "a b"),
    "a partial": ("a = []; b = functools.partial(print, a)", "a b"),
    "a keyword of a partial": ("a = []; b = functools.partial(print, x=a)", "a b"),
    "a result in an lru_cache": ("@functools.lru_cache\ndef a(n): return [n]\nb = a(1)", "a b"),
    "a generator's local": ("a = []\ndef g(x):\n    yield x\nb = g(a); next(b)", "a b"),
    "a fresh generator's argument": ("a = []\ndef g(x):\n    yield x\nb = g(a)", "a b"),
    "a generator expression": ("a = [1]; b = (x for x in a)", "a b"),
    "a coroutine": ("a = []\nasync def g(x): pass\nb = g(a)\nkeep = b.close", "a b keep"),
    "an iterator": ("a = [1]; b = iter(a)", "a b"),
    "a dict view": ("a = {}; b = a.keys()", "a b"),
    "zip and map": ("a = [1]; b = zip(a); c = map(str, a)", "a b c"),
    "an itertools iterator": ("a = [1]; b = itertools.cycle(a)", "a b"),
    "a sentinel": ("a = object(); b = [a]", "a b"),
    "a class attribute and its value": ("a = {}\nclass b: registry = a", "a b"),
    "an alias of a class": ("class a: pass\nb = a", "a b"),
    "a class made in a function": ("def f():\n    class L: pass\n    return L\nL = f(); a = L()", "L a"),
    "an exception": ("a = []; b = ValueError(a)", "a b"),
    "a callable property object": ("a = []\nb = property(lambda self, x=a: x)", "a b"),
    "a memoryview of a bytearray": ("a = bytearray(4); b = memoryview(a)[1:]", "a b"),
    "a memoryview of an array.array": ("a = array.array('d', [1]); b = memoryview(a)", "a b"),
    "frombuffer of a bytearray": ("a = bytearray(8); b = np.frombuffer(a)", "a b"),
    "two frombuffers of one bytearray": ("x = bytearray(16)\na = np.frombuffer(x); b = np.frombuffer(x)\ndel x", "a b"),
    "frombuffer of an mmap": ("a = mmap.mmap(-1, 64); b = np.frombuffer(a, 'u1')", "a b"),
    "frombuffer of an array.array": ("a = array.array('d', [1]); b = np.frombuffer(a)", "a b"),
    "memoryview of an ndarray": ("a = np.zeros(4); b = memoryview(a)", "a b"),
    "a view": ("a = np.zeros(9); b = a[:3]", "a b"),
    "disjoint views of one base": ("x = np.zeros(9); a = x[:3]; b = x[6:]\ndel x", "a b"),
    "reshaped, transposed, reversed": ("a = np.zeros((3, 4)); b = a.T; c = a.ravel()[::-1]", "a b c"),
    "as_strided": ("a = np.zeros(9); b = np.lib.stride_tricks.as_strided(a, (3,), (8,))", "a b"),
    "a view of another type": ("a = np.zeros(4); b = a.view('i8')", "a b"),
    "a record of a structured array": ("a = np.zeros(2, dtype=[('x', 'f8')]); b = a[0]", "a b"),
    "a flat iterator": ("a = np.zeros(2); b = a.flat", "a b"),
    "elements of an object array": ("a = []; b = np.array([a, None], dtype=object)", "a b"),
    "a masked array's data": ("a = np.zeros(3); b = np.ma.masked_array(a, copy=False)", "a b"),
    "a generator and its bit generator": (
        "a = np.random.default_rng(); b = np.random.Generator(a.bit_generator)",
        "a b",
    ),
    "column of a frame": ("a = pd.DataFrame({'x': [1., 2.]}); b = a['x']", "a b"),
    "values of a frame": ("a = pd.DataFrame({'x': [1., 2.]}); b = a.values", "a b"),
    "a list in an object column": ("a = []; b = pd.DataFrame({'x': [a, None]})", "a b"),
    "a list in a series": ("a = []; b = pd.Series([a, 1])", "a b"),
    "attrs of a frame": ("a = []; b = pd.DataFrame(); b.attrs['x'] = a", "a b"),
    "a group-by and its frame": ("a = pd.DataFrame({'x': [1, 2]}); b = a.groupby('x')", "a b"),
    "an index over a writable array": (
        "a = np.array([3, 1, 2]); b = pd.Index(a, copy=False)",
        "a b",
    ),
    "through a third name": ("a = []; b = [a]; c = [b]", "a b c"),
    "two groups": ("a = []; b = [a]; c = {}; d = [c]", "a b | c d"),
    "a cycle": ("a = []; a.append(a); b = [a]", "a b"),
    "a string io": ("a = io.StringIO(); b = [a]", "a b"),
    "a thread's arguments": ("a = []; b = threading.Thread(target=print, args=(a,))", "a b"),
    "a subclass of dict": ("class D(dict): pass\na = []; b = D(k=a)", "a b"),
    "a subclass of ndarray": (
        "class N(np.ndarray): pass\na = np.zeros(3); b = a.view(N)",
        "a b",
    ),
    "an attribute of an ndarray subclass": (
        "class N(np.ndarray): pass\na = []; b = np.zeros(3).view(N); b.x = a",
        "a b",
    ),
    "a weak dictionary": ("a = weakref.WeakValueDictionary(); b = [a]", "a b"),
    "an instance in a class attribute": ("class a:\n    pass\nb = a(); a.first = b", "a b"),
    # NumPy: whatever makes a view
    "a diagonal": ("a = np.zeros((3, 3)); b = np.diagonal(a); c = a.diagonal()", "a b c"),
    "parts of complex numbers": ("a = np.zeros(3, complex); b = a.real; c = a.imag", "a b c"),
    "pieces of an array": ("a = np.zeros(6); b, c = np.split(a, 2)", "a b c"),
    "more and fewer axes": (
        "a = np.zeros((2, 1)); b = a[None]; c = a.squeeze(); d = np.swapaxes(a, 0, 1); e = a[...]",
        "a b c d e",
    ),
    "a broadcast array": ("a = np.zeros(1); b = np.broadcast_to(a, (3,))", "a b"),
    "sliding windows": ("a = np.zeros(9); b = np.lib.stride_tricks.sliding_window_view(a, 3)", "a b"),
    "a field of a structured array": ("a = np.zeros(2, dtype=[('x', 'f8'), ('y', 'i8')]); b = a['y']", "a b"),
    "fields of a structured array": ("a = np.zeros(2, dtype=[('x', 'f8'), ('y', 'i8')]); b = a[['x', 'y']]", "a b"),
    "a record array over an array": (
        "a = np.zeros(2, dtype=[('x', 'f8')]); b = a.view(np.recarray); c = b.x",
        "a b c",
    ),
    "a matrix over an array": ("a = np.zeros((2, 2)); b = np.asmatrix(a)", "a b"),
    "an array over a given buffer": ("a = bytearray(16); b = np.ndarray(2, 'f8', a)", "a b"),
    "an array of a memoryview": ("a = bytearray(8); b = np.asarray(memoryview(a)[2:])", "a b"),
    "DLPack": ("a = np.zeros(3); b = np.from_dlpack(a)", "a b"),
    "an array over ctypes": ("a = (ctypes.c_int * 3)(); b = np.ctypeslib.as_array(a)", "a b"),
    "the array interface": (
        "a = np.zeros(3)\nclass I: pass\nb = I(); b.__array_interface__ = a.__array_interface__; b.keep = a\n"
        "c = np.asarray(b)",
        "a b c",
    ),
    "the mask of a masked array": ("b = np.zeros(3, bool); a = np.ma.array([1, 2, 3], mask=b, copy=False)", "a b"),
    "a running nditer": ("a = np.zeros(3); b = np.nditer(a, op_flags=['readwrite'])", "a b"),
    "a view in a dict in a list": ("a = np.zeros(9); b = [{'v': a[2:4]}]", "a b"),
    "an object array and an element's view": (
        "x = np.zeros(4); a = np.array([x, None], dtype=object); b = x[1:]\ndel x",
        "a b",
    ),
    # buffers
    "a memoryview cast": ("a = bytearray(8); b = memoryview(a).cast('I')", "a b"),
    "memoryviews of one buffer": ("x = bytearray(8); a = memoryview(x)[:2]; b = memoryview(x)[6:]\ndel x", "a b"),
    "the buffer of a BytesIO": ("a = io.BytesIO(b'abc'); b = a.getbuffer()", "a b"),
    "ctypes over a bytearray": ("a = bytearray(8); b = (ctypes.c_char * 8).from_buffer(a)", "a b"),
    "a pointer": ("a = ctypes.c_int(1); b = ctypes.pointer(a)", "a b"),
    # frames
    "rows of a frame": (
        "a = pd.DataFrame({'x': [1., 2.], 'y': [3., 4.]}); b = a.values; c = a['y'].to_numpy()",
        "a b c",
    ),
    "a series over an array": ("a = np.zeros(3); b = pd.Series(a, copy=False); c = b.array", "a b c"),
    "a frame in a dict": ("a = pd.DataFrame({'x': [1]}); b = {'frame': a}", "a b"),
    "a rolling window": ("a = pd.Series([1., 2.]); b = a.rolling(2)", "a b"),
    "a user's frame": ("class F(pd.DataFrame): pass\na = []; b = F({'x': [a, None]})", "a b"),
    "codes of categories": ("a = pd.Series(list('ab'), dtype='category'); b = a.cat", "a b"),
    # functions, classes
    "a closure over a closure": (
        "def f():\n    x = []\n    def g(): return x\n    def h(): return g()\n    return x, h\na, b = f()",
        "a b",
    ),
    "a default that is a function with state": ("a = []\ndef g(x=a): pass\ndef b(h=g): pass", "a b g"),
    "two methods of one instance": (
        "class K:\n    def m(self): pass\n    def n(self): pass\nx = K(); a = x.m; b = x.n\ndel x",
        "a b",
    ),
    "a decorator's table": (
        "def memo(f):\n    known = {}\n    def g(n): return known.setdefault(n, f(n))\n"
        "    g.known = known\n    return g\n"
        "@memo\ndef a(n): return n\nb = a.known",
        "a b",
    ),
    "a function of functools and what is registered with it": (
        "@functools.singledispatch\ndef a(x): pass\nb = [a]",
        "a b",
    ),
    "an argument in an lru_cache": ("class K: pass\n@functools.lru_cache\ndef a(k): pass\nb = K(); a(b)", "a b"),
    "a class made by type()": ("a = []; b = type('T', (), {'x': a}); c = b()", "a b"),
    "a class patched with a variable": ("a = {}\nclass b: pass\nb.registry = a", "a b"),
    "a descriptor that holds a table": ("a = {}\nclass T:\n    def __init__(self, t): self.t = t\nb = T(a)", "a b"),
    "a cached property's value": (
        "class K:\n    @functools.cached_property\n    def p(self): return []\na = K(); b = a.p",
        "a b",
    ),
    # frames of generators
    "an async generator's argument": ("a = []\nasync def g(x):\n    yield x\nb = g(a)", "a b"),
    "a generator inside a generator": (
        "a = []\ndef g(x):\n    yield x\ndef h(x):\n    yield from g(x)\nb = h(a); next(b)",
        "a b",
    ),
    "a generator method": ("class K:\n    def m(self):\n        yield self\na = K(); b = a.m(); next(b)", "a b"),
    "what a paused with-statement holds": (
        "a = []\n@contextlib.contextmanager\ndef g(x):\n    yield x\nb = g(a); b.__enter__()",
        "a b",
    ),
    # containers of the standard library
    "filter, reversed, chain, islice": (
        "a = [1]; b = filter(None, a); c = reversed(a); d = itertools.chain(a); e = itertools.islice(a, 1)",
        "a b c d e",
    ),
    "tee": ("a, b = itertools.tee([1, 2])", "a b"),
    "a UserDict": ("a = {}; b = collections.UserDict(); b.data = a", "a b"),
    "a queue": ("a = []; b = queue.Queue(); b.put(a)", "a b"),
    "an exit stack": ("a = []; b = contextlib.ExitStack(); b.callback(a.append, 1)", "a b"),
    "a cause of an exception": ("a = ValueError([]); b = KeyError(); b.__cause__ = a", "a b"),
    "arguments of a wrapped call": ("a = []; b = functools.partialmethod(print, a)", "a b"),
    "keys of a weak dictionary's values": ("class K: pass\na = K(); b = weakref.WeakKeyDictionary(); b[K()] = a", ""),
    "a class attribute that is an instance": ("class K: pass\na = K()\nclass b: best = a", "a b"),
}

# What is nobody's, or cannot change, links no two variables.
APART: dict[str, str] = {
    "numbers, strings, None": "a = b = 10 ** 9; c = d = 'text'; e = f = None; g = h = 1.5",
    "tuples of atoms": "a = b = (1, 'x', (2.0, None))",
    "frozensets": "a = b = frozenset(['x', (1, 2)])",
    "ranges and slices": "a = b = range(5); c = d = slice(1, 2)",
    "modules": "a = math; b = [math]; c = sys; d = {'s': sys}",
    "equal lists": "a = [1]; b = [1]",
    "library types and functions": "a = [dict, len, np.sin]; b = [dict, len, np.sin, os.path.join]",
    "instances of one class": "class C:\n    shared = []\n    def m(self): pass\na = C(); b = C()",
    "an instance and its class": "class C:\n    shared = []\na = C()",
    "a class and its subclass": "class A:\n    def m(self): return super().m()\nclass B(A): pass",
    "an instance and a class attribute": "d = {}\nclass C: pass\na = C()",
    "two dataclass instances": "@dataclasses.dataclass\nclass C:\n    x: int = 1\na = C(); b = C()",
    "a plain function held twice": "def f(x, y=1): return x\na = [f]; b = {'f': f}",
    "a decorated function held twice": (
        "def deco(g):\n    @functools.wraps(g)\n    def w(*args): return g(*args)\n    return w\n"
        "@deco\ndef f(): pass\na = [f]; b = {'f': f}"
    ),
    "functions of one notebook": "state = []\ndef f(): return state\ndef g(): return state",
    "enum members": "class E(enum.Enum):\n    A = 1\na = [E.A]; b = {E.A: 1}",
    "a logger": "a = logging.getLogger('x'); b = [a, logging.getLogger()]",
    "a dtype": "a = np.dtype('f8'); b = [a]; c = pd.CategoricalDtype(['x']); d = [c]",
    "standard streams": "a = [sys.stdout]; b = {'out': sys.stdout}; c = types.SimpleNamespace(o=sys.stderr)",
    "weak references with a callback": "class C: pass\na = C(); b = weakref.ref(a, repr)\nc = weakref.WeakSet([a])",
    "compiled patterns": "a = b = re.compile('x')",
    "copies of an array": "a = np.zeros(5); b = a.copy()",
    "arrays over one bytes": "x = b'12345678'; a = np.frombuffer(x); b = np.frombuffer(x)",
    "a frame and its deep copy": "a = pd.DataFrame({'x': [1, 2], 'y': ['u', 'v']}, index=[5, 6]); b = a.copy()",
    "a frame and rows of it": (
        "a = pd.DataFrame({'x': [1, 2], 'y': ['u', 'v']}); b = a[a.x > 1]; c = a.groupby('y').sum()"
    ),
    "an index shared by frames": "i = pd.Index([5, 6]); a = pd.Series([1, 2], index=i); b = pd.Series([3, 4], index=i)",
    "missing values": "a = [pd.NA, pd.NaT]; b = [pd.NA, pd.NaT]",
    "two lru_caches": (
        "@functools.lru_cache\ndef f(x=1): return x\n@functools.lru_cache\ndef g(x=1): return x\nf(x=2); g(x=3)"
    ),
    "the global random state": "a = np.random.randn; b = [np.random.rand]",
    "threads": "a = threading.Thread(); b = threading.Thread(target=print); c = [threading.main_thread()]",
    "locks": "a = threading.Lock(); b = threading.Lock()",
    "handlers of one logger": "a = logging.StreamHandler(); b = logging.StreamHandler()",
    "named tuples": "P = collections.namedtuple('P', 'x'); a = b = P(1)",
    "deleted link": "x = []; a = [x]; b = [x]; a.clear(); del x",
    "interned text and small numbers": "a = ['x', 1, (), frozenset(), b'']; b = ['x', 1, (), frozenset(), b'']",
    "values of the standard library": (
        "a = [datetime.date(2024, 1, 1), decimal.Decimal(1), uuid.UUID(int=1), pathlib.Path('x')]\nb = list(a)"
    ),
    "annotations": "a = typing.List[int]; b = [a]; c = typing.Optional[str]; d = {c: c}",
    "the environment": "a = [os.environ]; b = {'env': os.environ}",
    "methods of the standard streams": "a = sys.stdout.write; b = [sys.stdout.write]",
    "two partials of one function": "def f(): pass\na = functools.partial(f); b = functools.partial(f)",
    "two methods of one class": "class K:\n    def m(self): pass\na = K().m; b = K().m",
    "two instances that use one global": "log = []\nclass K:\n    def m(self): log.append(1)\na = K(); b = K()",
    "NumPy scalars and functions": "s = np.float64(1); a = [s, np.add, np.dtype('f8')]; b = list(a)",
    "what is computed from an array": "a = np.zeros(4); b = a + 1; c = a.astype('f4'); d = a[[0, 1]]; e = a.tolist()",
    "what is computed from a frame": (
        "a = pd.DataFrame({'x': [1., 2.]}); b = a + 1; c = a.to_dict('list'); d = a.describe()\n"
        "e = a.sort_values('x', ascending=False)"
    ),
    "offsets and time zones": "o = pd.offsets.Day(); a = [o, datetime.timezone.utc]; b = [o, datetime.timezone.utc]",
    "a proxy": "class K: pass\na = K(); b = weakref.proxy(a); c = [b]",
    "a function and a wrapper of a library": (
        "@contextlib.contextmanager\ndef f():\n    yield\na = [f]; b = [f]; c = functools.lru_cache"
    ),
    "read-only memory": "x = bytes(8); a = memoryview(x); b = memoryview(x)",
    "named constants": "class Colour(enum.Flag):\n    RED = 1\n    BLUE = 2\na = Colour.RED | Colour.BLUE; b = [a]",
    "two closures of one maker": "def f():\n    n = 0\n    return lambda: n\na = f(); b = f()",
    "generators of one function": "def g():\n    yield 1\na = g(); b = g()",
}

# The same with libraries that take a while to import.
PLOTS: dict[str, tuple[str, str]] = {
    "two figures": ("f, a = plt.subplots(2); g, b = plt.subplots(); a[0].plot([1, 2]); b.hist([1, 2, 2])", "a f | b g"),
    "axes of one figure": ("a, b = plt.subplots(1, 2)[1]", "a b"),
    "drawn figures with dates": (
        "f, a = plt.subplots(); g, b = plt.subplots()\n"
        "for x in (a, b):\n    x.plot(pd.date_range('2024', periods=3), [1, 2, 3]); x.legend(['x']); x.set_title('t')\n"
        "    x.scatter(pd.date_range('2024', periods=3), [1, 2, 3])\n"
        "f.canvas.draw(); g.canvas.draw()",
        "a f | b g",
    ),
    "images": ("f = plt.figure(); g = plt.figure()\nfor x in (f, g):\n    x.colorbar(x.gca().imshow(np.eye(3)))", ""),
    "rcParams": ("a = [plt.rcParams]; b = [plt.rcParams]", ""),
    "colour maps": ("a = [plt.get_cmap('viridis')]; b = [plt.get_cmap('viridis')]", ""),
    "two models": ("a = RandomForestClassifier(3).fit(X, y); b = RandomForestClassifier(3).fit(X, y)", ""),
    "a pipeline and its step": ("a = StandardScaler(); b = make_pipeline(a)", "a b"),
    "different models on the same data": (
        "a = LinearRegression().fit(X, y); b = make_pipeline(StandardScaler()).fit(X)",
        "",
    ),
}
