"""What only reads a value: a notebook that makes ``x``, and what is done with it. None of it is a change."""

from __future__ import annotations

READS: dict[str, tuple[str, str]] = {
    "list": ("x = [1, [2], 'a']", "list(x); repr(x); x[0]; copy.deepcopy(x); 2 in x; sorted(map(str, x))"),
    "dict": ("x = {'a': [1]}", "x['a']; x.get('b'); list(x.items()); repr(x); pickle.dumps(x)"),
    "set": ("x = {'a', 'b', 1}", "list(x); x | {3}; 'a' in x; repr(x)"),
    "deque": ("x = collections.deque([1, 2])", "list(x); x[0]; repr(x)"),
    "defaultdict": ("x = collections.defaultdict(list, a=[1])", "x['a']; x.get('b'); repr(x)"),
    "instance": ("x = c(a=1, b=[2])", "x.a; vars(x); repr(x); copy.copy(x); pickle.dumps(x.b)"),
    "instance whose dict is asked for": ("x = C(); x.a = 1; x.b = 2", "vars(x); x.__dict__; dir(x)"),
    "many instances": ("x = [c(a=i, b=[i]) for i in range(50)]", "[vars(i) for i in x]; [i.a for i in x]"),
    "dataclass": ("x = D([1])", "repr(x); x == D([1]); dataclasses.asdict(x)"),
    "function": ("def x(a, b=2): return a + b", "x(1); x.__name__; repr(x); x.__annotations__; x.__dict__"),
    "closure": ("def f():\n    n = [1]\n    return lambda: n\nx = f()", "x(); x.__closure__"),
    "class": (
        "class x:\n    a = 1\n    def m(self): return 1",
        "x(); x().m(); x.a; getattr(x, '__annotations__', 0); dir(x); x.__subclasses__()",
    ),
    "class that is instantiated": ("class x:\n    def __init__(self): self.a = []", "[x() for _ in range(3)]"),
    "subclassed class": ("class x: pass", "class Sub(x): pass"),
    "cached function": ("@functools.lru_cache\ndef x(n): return n", "x(1); x(2); x.cache_info()"),
    "pattern": ("x = re.compile('a')", "x.match('a'); repr(x)"),
    "datetime": ("x = [datetime.datetime(2024, 1, 1)]", "x[0].isoformat(); hash(x[0])"),
    "big list": ("x = list(range(100000))", "sum(x); x[5:10]; len(x)"),
    "strings": ("x = ['abc', 'def' * 3]", "hash(x[0]); sys.intern(x[0]); x[0].encode(); x[1].upper()"),
    "deep chain": ("x = None\nfor _ in range(20000): x = [x]", "x[0][0]"),
    "enum": ("class x(enum.Enum): A = 1", "x.A; x('A' and 1); list(x); x['A']"),
    "bytearray": ("x = bytearray(10)", "bytes(x); memoryview(x)[1:3].tobytes()"),
    "random": ("x = random.Random(1)", "x.getstate(); repr(x)"),
    "len, hash, in, ==": ("x = [(1, 2), 'a', c(v=1)]", "len(x); hash(x[0]); 'a' in x; x == [1]; bool(x); x.index('a')"),
    "pickled": ("x = {'a': [1, (2, 'b')], 'd': D([1])}", "pickle.dumps(x['a']); pickle.dumps(x['a'], 0)"),
    "copied": ("x = [c(a=[1]), D([2]), L([3])]", "copy.copy(x); copy.deepcopy(x); list(x); x[:]; x * 2"),
    "a sorted copy": ("x = [3, 1, 2]", "sorted(x); list(reversed(x)); max(x); sum(x)"),
    "dict views": ("x = {'a': 1, 'b': [2]}", "x.keys() & {'a'}; list(x.values()); dict(x); {**x}; x == {}"),
    "formatted": ("x = c(a=1.5, b='t')", "f'{x.a:.3f} {x.b!r}'; '%s' % x.a; str(x); format(x.b)"),
    "unpacked": ("x = [1, [2, 3], (4,)]", "a, (b, d), e = x; [*x]; print(*x, file=io.StringIO())"),
    "called with it": ("x = [1, 2]", "list(map(str, x)); (lambda v: v[0])(x); functools.reduce(operator.add, x)"),
    "slots": ("x = Slots(); x.a = [1]", "x.a; hasattr(x, 'b'); repr(x)"),
    "a property that computes": ("class P:\n    @property\n    def p(self): return id(self)\nx = P()", "x.p; x.p"),
    "single dispatch": ("@functools.singledispatch\ndef x(v): return 1", "x(3); x('a'); x.dispatch(int)"),
    "a flag": ("class x(enum.Flag):\n    A = 1\n    B = 2", "x.A | x.B; ~x.A; list(x); x(3); str(x.A | x.B)"),
    "an abstract class": ("class x(abc.ABC): pass", "isinstance(3, x); issubclass(int, x)"),
    "a generic class": (
        "T = typing.TypeVar('T')\nclass x(typing.Generic[T]): pass",
        "x[int]; x[str](); x[int].__origin__",
    ),
    "a dataclass": ("x = D", "D(1) == D(2); dataclasses.fields(x); repr(D(3)); dataclasses.replace(D(1), a=2)"),
    "an exception that was raised": ("class x(Exception): pass", "try: raise x(1)\nexcept x as e: str(e)"),
    "a weak reference": ("k = C(); x = weakref.ref(k)", "x(); x() is k; hash(x); repr(x)"),
    "a path": ("x = pathlib.Path('a/b.c')", "x.name; x.parent; x.suffix; str(x); hash(x); x / 'd'; x.parts"),
    "a fraction and a date": (
        "x = [fractions.Fraction(1, 2), datetime.date(2024, 1, 1)]",
        "hash(x[0]); hash(x[1]); x[1].isoformat()",
    ),
    "a tree of a program": ("x = ast.parse('a = 1')", "ast.dump(x); compile(x, 'x', 'exec'); list(ast.walk(x))"),
    "a cycle": ("x = [1]; x.append(x)", "repr(x); len(x); x[1] is x"),
    "a deep chain of instances": ("x = c()\nfor _ in range(20000): x = c(next=x)", "x.next.next"),
}

LIBRARY_READS: dict[str, tuple[str, str]] = {
    "array": ("x = np.arange(10.0)", "x.sum(); x[2:4]; x.T; repr(x); x + 1; np.sort(x); memoryview(x)"),
    "view": ("a = np.arange(10.0); x = a[::2]", "x.sum(); x.copy(); x.mean()"),
    "frame": (
        "x = pd.DataFrame({'a': [1, 2, 2], 'b': ['u', 'v', 'u'], 'c': [1.5, None, 2]})",
        "x['a']; x.loc[1]; x.iloc[0]; x.groupby('b').sum(numeric_only=True); repr(x); x._repr_html_(); x.values; "
        "x.describe(); x.index.get_loc(1); x.columns.get_loc('a'); x.sort_values('a'); x.merge(x, on='a'); "
        "x[x.a > 1]; x.a.value_counts(); x.to_csv(); x.T; x.isna().sum(); x.memory_usage(deep=True); x.dtypes",
    ),
    "frame with an index": (
        "x = pd.DataFrame({'a': range(5)}, index=list('vwxyz'))",
        "x.loc['w']; 'w' in x.index; x.index.is_unique; x.index.is_monotonic_increasing; x.reindex(list('zy')); "
        "x.index.hasnans; x.join(x, rsuffix='2'); x.index.get_indexer(['v'])",
    ),
    "time series": (
        "x = pd.Series(range(5), index=pd.date_range('2024', periods=5))",
        "x['2024-01-02']; x.resample('2D').sum(); x.index.freq; x.rolling(2).mean(); x.index.year; repr(x)",
    ),
    "group-by": ("x = pd.DataFrame({'a': [1, 2], 'b': [1, 1]}).groupby('b')['a'].sum()", "x.loc[1]; repr(x)"),
    "forest": (
        "from sklearn.ensemble import RandomForestClassifier as R; x = R(3, random_state=0).fit(X, y)",
        "x.predict(X); x.predict_proba(X); x.score(X, y); repr(x); x.get_params(); x.feature_importances_",
    ),
    "pipeline": (
        "from sklearn.pipeline import make_pipeline; from sklearn.preprocessing import StandardScaler as S; "
        "from sklearn.linear_model import LogisticRegression as G; x = make_pipeline(S(), G()).fit(X, y)",
        "x.predict(X); x.score(X, y); repr(x); x.named_steps; x[0].transform(X)",
    ),
    "generator": ("x = np.random.default_rng(1)", "repr(x); x.bit_generator.state"),
    "rendered": (
        "x = pd.DataFrame({'a': range(3), 'b': list('xyz'), 'c': pd.Categorical(list('ppq'))})",
        "x._repr_html_(); x.head(); x.tail(1); x.info(buf=io.StringIO()); x.sample(1); repr(x.b); x.shape; x.columns",
    ),
    "copied and computed with": (
        "x = pd.DataFrame({'a': [1.0, 2.0], 'b': [3.0, 4.0]})",
        "y2 = x.copy(); y2['a'] = 5; z = x * 2; x.values.sum(); x.corr(); x.apply(sum); x.agg(['min', 'max']); "
        "x.assign(d=1); x.drop(columns='a'); x.rename(columns={'a': 'q'}); x.query('a > 1'); x.eval('a + b')",
    ),
    "iterated": (
        "x = pd.DataFrame({'a': [1, 2], 'b': ['u', 'v']})",
        "list(x); list(x.iterrows()); list(x.itertuples()); list(x.items()); [k for k, g in x.groupby('b')]; 'a' in x",
    ),
    "reshaped": (
        "x = pd.DataFrame({'a': [1, 2], 'b': ['u', 'v'], 'c': [3, 4]})",
        "x.melt(); x.pivot(index='a', columns='b'); x.set_index('a'); x.stack(); x.to_numpy(); x.to_dict(); "
        "pickle.dumps(x)",
    ),
    "a frame plotted": (
        "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt; x = pd.DataFrame({'a': [1, 2]})",
        "x.plot(); plt.plot(x.a); plt.close('all')",
    ),
    "an array plotted": (
        "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt; x = np.arange(5.0)",
        "plt.plot(x); plt.hist(x); plt.imshow(x.reshape(1, 5)); plt.close('all')",
    ),
    "a masked array": (
        "x = np.ma.array([1.0, 2.0], mask=[0, 1])",
        "repr(x); x.sum(); x.filled(); x.compressed(); x[0]; x.mask",
    ),
    "a masked array of texts": ("x = np.ma.array(['a', 'b'], mask=[0, 1])", "repr(x); x.filled(); x.tolist()"),
    "a random state that is looked at": ("x = np.random.RandomState(1)", "x.get_state(); repr(x)"),
    "a distribution while others draw": (
        "import scipy.stats; x = [scipy.stats.norm, scipy.stats.t(3)]",
        "np.random.rand(); np.random.seed(3)",
    ),
    "a function of random while others draw": (
        "import random; x = [random.choice, np.random.choice]",
        "random.random(); random.gauss(0, 1); np.random.rand()",
    ),
    "a search": (
        "from sklearn.svm import SVC; from sklearn.model_selection import GridSearchCV as G\n"
        "x = G(SVC(), {'C': [1, 2]}, cv=2).fit(X, y)",
        "x._repr_html_(); x.predict(X); x.best_estimator_; x.cv_results_; repr(x)",
    ),
    "neighbours": (
        "from sklearn.neighbors import KNeighborsClassifier as K; x = K(1).fit(X, y)",
        "x.predict(X); x.kneighbors(X); x._repr_html_()",
    ),
    "a sparse matrix": (
        "import scipy.sparse; x = scipy.sparse.csr_matrix([[1, 0], [0, 2]])",
        "x @ x; x.T; x.sum(); x.toarray(); x.has_sorted_indices; x.has_canonical_format; repr(x); x[0]; x.nnz; x + x",
    ),
    "a spline": (
        "from scipy.interpolate import CubicSpline; x = CubicSpline([1, 2, 3], [1, 2, 3])",
        "x(2); x(2, 1); x.c",
    ),
    "intervals and periods": (
        "x = pd.DataFrame({'a': pd.period_range('2024', periods=2, freq='M'), 'b': pd.interval_range(0, 2)})",
        "repr(x); x.a.dt.year; x['b'].array.left; x.loc[0]; x.sort_values('a')",
    ),
}
