"""Values of every codec: what makes them, and what must hold of them in the process that got them.

``make`` binds ``v`` and may bind ``w``; both travel together. ``check`` runs where they arrived, after they were
described: it writes to them, so that what shares memory shows it and what does not, too. ``since`` says which release
of the library knows such a value at all; an environment with an older one can neither write nor read it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    library: str  # "" for the standard library; the modules to import, the first one decides whether it is there
    make: str
    check: str = ""
    since: tuple[int, ...] = ()
    same: bool = True  # described the same within one environment


def _cases(library: str, *rows: tuple[object, ...]) -> tuple[Case, ...]:
    return tuple(Case(str(row[0]), library, *row[1:]) for row in rows)  # type: ignore[arg-type]


PLAIN = _cases(
    "",
    ("paths", "import pathlib; v = [pathlib.Path('a/b'), pathlib.PurePosixPath('/x'), pathlib.PureWindowsPath('c:/y')]"),
    ("ranges and slices", "v = [range(3), range(10**12, 0, -7), slice(1, None, 2), ..., NotImplemented]"),
    ("numbers", "import decimal, fractions\nv = [2**200, -0.0, float('inf'), complex(1, -0.0), True, decimal.Decimal('1.10'),"
     " fractions.Fraction(1, 3)]"),
    ("times", "import datetime as d\nv = [d.datetime(2020, 1, 2, tzinfo=d.timezone.utc), d.timedelta(3), d.time(1, fold=1)]"),
    ("a cycle", "v = [1]; v.append({'self': v, 'pair': (v, v)})", "assert v[1]['self'] is v and v[1]['pair'][0] is v"),
    ("views of bytes", "v = bytearray(b'abcdef'); w = memoryview(v)[2:4]", "w[0] = 90; assert v == b'abZdef'"),
    ("lists 100,000 deep", "v = []\nfor _ in range(100_000): v = [v]",
     "n = 0\nwhile v: v = v[0]; n += 1\nassert n == 100_000", (), False),
    ("dicts 100,000 deep", "v = {}\nfor _ in range(100_000): v = {'k': (v,)}",
     "n = 0\nwhile v: v = v['k'][0]; n += 1\nassert n == 100_000", (), False),
    ("counters, proxies, views", "import itertools, types\nv = {'a': 1}; w = [itertools.count(3, 2), types.MappingProxyType(v), v.keys()]",
     "v['b'] = 2; assert next(w[0]) == 3 and w[1]['b'] == 2 and list(w[2]) == ['a', 'b']", (), False),
    ("weak references", "import weakref, collections\nv = collections.UserDict(a=1); w = weakref.ref(v)", "assert w() is v", (), False),
    ("a compiled pattern", "import re; v = re.compile('(a+)|b', re.I | re.S)"),
    ("collections", "import collections as c\nv = [c.OrderedDict(b=1, a=2), c.deque([1, [2]], 5), c.defaultdict(list, a=[1]), c.Counter('aab')]",
     "assert v[1].maxlen == 5 and v[2]['z'] == [] and v[3]['a'] == 2"),
    ("random.Random", "import random; v = random.Random(3); v.random(); w = v.getstate()", "assert v.getstate() == w", (), False),
)  # fmt: skip

ARRAYS = _cases(
    "numpy",
    ("numbers of every kind", "v = [numpy.arange(6).astype(c) for c in '?bBhHiIlLqQefdgFDGSU'] + [numpy.arange(5, dtype='>i4')]"),
    ("orders", "a = numpy.arange(24.0)\nv = [a.reshape(2, 3, 4, order='F'), a.reshape(4, 6).T, numpy.zeros((0, 3)), numpy.array(3.5),"
     " a.reshape(2, 3, 4).transpose(2, 0, 1)]"),
    ("dates", "v = numpy.array(['2020-01-01', 'NaT'], 'M8[D]'); w = numpy.array([3, -4], 'm8[25s]')"),
    ("records", "v = numpy.array([(1, 2.5, 'a')] * 3, [('x', '<i4'), ('y', '>f8'), ('z', '<U3')])\n"
     "w = v['y']", "w[0] = 7; assert v[0]['y'] == 7"),
    ("a record of an array", "v = numpy.zeros(3, [('x', 'i4'), ('y', 'f8')]); w = v[1]", "w['x'] = 7; assert v['x'].tolist() == [0, 7, 0]"),
    ("aligned, nested, titled", "v = [numpy.zeros(2, numpy.dtype([('x', 'i1'), ('y', 'f8')], align=True)),"
     " numpy.zeros(2, [('x', [('a', 'i2'), ('b', 'f4', (2, 2))])]), numpy.ones(2, [(('t', 'x'), 'i4')])]"),
    ("objects", "shared = [1]\nv = numpy.array([shared, 'a', None, shared], object); w = v[1:]", "w[0] = 5; assert v[1] == 5 and v[0] is v[3]"),
    ("records with objects", "v = numpy.array([(1, [2]), (3, None)], [('n', 'i4'), ('o', 'O')])"),
    ("masked", "v = numpy.ma.masked_array(numpy.arange(4.0), [0, 1, 0, 1], fill_value=-9.0, hard_mask=True); w = v.data",
     "w[0] = 5; assert v[0] == 5 and v.mask.tolist() == [False, True, False, True]"),
    ("a matrix and a recarray", "v = numpy.matrix([[1, 2]]); w = numpy.rec.array([(1, 'a')], dtype=[('n', 'i4'), ('s', 'U2')])",
     "assert (v * v.T).tolist() == [[5]] and w.n.tolist() == [1] and w[0].s == 'a'"),
    ("read-only", "v = numpy.arange(5); v.flags.writeable = False", "assert not v.flags.writeable"),
    ("views of one memory", "v = numpy.arange(20_000.0); w = [v[5:9], v[::-1], v.reshape(100, 200).T, v.view('u8')]",
     "v[5] = -1.0; assert w[0][0] == -1 and w[1][-6] == -1 and w[2][5, 0] == -1 and w[3][5] == 0xbff0000000000000"),
    ("what shares nothing", "v = numpy.ones(20_000); w = numpy.ones(20_000)", "v[0] = 5; assert w[0] == 1"),
    ("scalars and dtypes", "v = [numpy.float32(1.5), numpy.int8(-1), numpy.datetime64('2020-01-02'), numpy.bool_(True), numpy.str_('a'),"
     " numpy.dtype('>i4'), numpy.dtype([('x', 'i4')]), numpy.add]"),
    ("generators", "g = numpy.random\nv = [g.Generator(b(7)) for b in (g.PCG64, g.MT19937, g.Philox, g.SFC64)] + [g.RandomState(5)]\n"
     "w = v[0].bit_generator\nfor one in v: one.standard_normal(3)", "assert v[0].bit_generator is w; [one.random() for one in v[:4]]"),
    ("PCG64DXSM", "v = numpy.random.Generator(numpy.random.PCG64DXSM(3))", "v.random()", (1, 21)),
    ("variable-width strings", "v = numpy.array(['a', 'long' * 30, ''], numpy.dtypes.StringDType())", "", (2, 0)),
    ("a missing value among strings", "v = numpy.array(['a', None], numpy.dtypes.StringDType(na_object=None, coerce=False)); w = v[:1]",
     "assert not getattr(v.dtype, 'coerce', False) and v[1] is None", (2, 0)),
)  # fmt: skip

SPARSE = _cases(
    "scipy.sparse numpy",
    *(
        (f"{kind}_{how}", f"v = scipy.sparse.{kind}_{how}(numpy.array([[1.0, 0, 2], [0, 0, 3], [4, 0, 0]]))",
         "assert v.sum() == 10 and (v @ numpy.ones(3)).tolist() == [3, 3, 4]", () if how == "matrix" else (1, 8))
        for how in ("matrix", "array")
        for kind in ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")
    ),
    ("flags", "v = scipy.sparse.csr_matrix((numpy.ones(3), numpy.array([2, 0, 0]), numpy.array([0, 2, 3])), shape=(2, 3))\n"
     "v.has_sorted_indices, v.has_canonical_format", "assert not v.has_sorted_indices; v.sort_indices(); assert v.indices.tolist() == [0, 2, 0]"),
    ("shared data", "v = scipy.sparse.csr_matrix(numpy.eye(200)); w = v.data", "w[0] = 5; assert v[0, 0] == 5"),
    ("one dimension", "v = scipy.sparse.coo_array(numpy.array([1, 0, 2]))", "assert v.sum() == 3", (1, 13)),
)  # fmt: skip

FRAMES = _cases(
    "pandas numpy",
    ("numbers", "v = pandas.DataFrame({'a': numpy.arange(5.0), 'b': range(5), 'c': [True] * 5, 1: numpy.arange(5, dtype='i2')})",
     "v.loc[0, 'a'] = 9.0; v['d'] = 1; assert v['a'].sum() == 19 and v.shape == (5, 5)"),
    ("text", "v = pandas.DataFrame({'s': ['a', 'bé', None, 'd', '']})", "v.loc[0, 's'] = 'z'; assert v['s'].str.upper().iloc[0] == 'Z'"),
    ("text with missing values", "v = pandas.Series(['a', None, 'c'], dtype='string', name='s')", "assert v.isna().tolist() == [False, True, False]", (1, 0)),
    ("text in Arrow", "import pyarrow\nv = pandas.Series(['a', None, 'c'] * 9, dtype='string[pyarrow]')[2:20]",
     "assert v.isna().sum() == 6", (1, 3)),
    ("Arrow columns", "import pyarrow as pa\nv = pandas.DataFrame({'n': pandas.array([1, None], dtype='int64[pyarrow]'),"
     " 't': pandas.array(['a', None], dtype=pandas.ArrowDtype(pa.string()))})",
     "assert v['n'].sum() == 1", (2, 0)),
    ("objects", "o = [1]\nv = pandas.DataFrame({'o': pandas.Series([o, 'a', None, o], dtype=object)}); w = o",
     "w.append(2); assert v['o'][0] == [1, 2] and v['o'][0] is v['o'][3]"),
    ("categories", "v = pandas.DataFrame({'c': pandas.Categorical(['u', None, 'v'], ['w', 'v', 'u'], ordered=True), 'n': pandas.Categorical([3, 1, 3])})",
     "assert v['c'].cat.ordered and v['c'].max() == 'u' and v['n'].cat.categories.tolist() == [1, 3]"),
    ("time zones", "v = pandas.DataFrame({'t': pandas.date_range('2020-03-29', periods=4, freq='h', tz='Europe/Paris'),"
     " 'u': pandas.date_range('2020', periods=4, tz='UTC'), 'o': pandas.to_datetime(['2020-01-01T00:00:00+05:30'] * 4)})",
     "assert v['t'].dt.hour.tolist() == [0, 1, 3, 4]"),
    ("times", "v = pandas.DataFrame({'n': pandas.date_range('2020', periods=3), 'd': pandas.to_timedelta([1, 2, None], unit='s')})",
     "assert v['d'].isna().tolist() == [False, False, True]"),
    ("seconds", "v = pandas.Series(numpy.array(['2020-01-01', 'NaT'], 'M8[s]'))", "", (2, 0)),
    ("nullable", "v = pandas.DataFrame({'i': pandas.array([1, None], dtype='Int64'), 'b': pandas.array([True, None], dtype='boolean'),"
     " 'u': pandas.array([1, None], dtype='UInt8')})", "v.loc[0, 'i'] = 7; assert v['i'].sum() == 7"),
    ("nullable floats", "v = pandas.Series([1.5, None], dtype='Float64')", "assert v.sum() == 1.5", (1, 2)),
    ("periods", "v = pandas.Series(pandas.period_range('2020-01', periods=3, freq='M')); w = pandas.PeriodIndex(['2020Q1', 'NaT'], freq='Q', name='q')",
     "assert v.dt.year.tolist() == [2020] * 3"),
    ("intervals", "v = pandas.DataFrame({'i': pandas.interval_range(0, 3, closed='both')}); w = pandas.cut([1, 5], [0, 2, 6])",
     "assert v['i'][0].closed == 'both' and w.codes.tolist() == [0, 1]"),
    ("levels", "v = pandas.DataFrame({('a', 'x'): [1, 2], ('b', 'y'): [3, 4]}, index=pandas.MultiIndex.from_product([['k'], [1, 2]], names=['p', 'q']))",
     "assert v.loc[('k', 2), ('b', 'y')] == 4 and list(v.index.names) == ['p', 'q']"),
    ("levels with gaps", "v = pandas.MultiIndex.from_arrays([['a', None, 'b'], pandas.Categorical(['x', 'y', 'x'])], names=[None, 'c'])[:2]",
     "assert len(v) == 2 and v.names[1] == 'c'"),
    ("a frequency", "v = pandas.DataFrame({'v': range(5)}, index=pandas.date_range('2020-01-01', periods=5, freq='D', name='when'))\n"
     "w = pandas.date_range('2020-01-31', periods=3, freq='2W-SUN')", "assert v.index.freqstr == 'D' and v.index.name == 'when' and w.freq is not None"),
    ("kinds of index", "v = [pandas.RangeIndex(1, 9, 2, name='r'), pandas.Index([1, 2]), pandas.Index([1.5]), pandas.Index(['a', 'b'], name='n'),"
     " pandas.CategoricalIndex(list('aba')), pandas.IntervalIndex.from_breaks([0, 1]), pandas.to_timedelta([1, 2], unit='D'), pandas.Index([True, False])]",
     "assert v[0].step == 2 and v[3].name == 'n'"),
    ("names twice", "v = pandas.DataFrame([[1, 'a', 2.0, 'b']], columns=['x', 'x', 'y', 'y'])", "assert v['x'].shape == (1, 2)"),
    ("nothing", "v = pandas.DataFrame(); w = pandas.DataFrame({'a': numpy.zeros(0), 's': pandas.Series([], dtype=object)})",
     "v['a'] = [1]; assert len(v) == 1 and w.columns.tolist() == ['a', 's']"),
    ("rows without columns", "v = pandas.DataFrame(index=[1, 2, 3]); w = pandas.DataFrame(columns=['a', 'b'])"),
    ("attributes and flags", "v = pandas.DataFrame({'a': [1]}).set_flags(allows_duplicate_labels=False); v.attrs['unit'] = ['m']\n"
     "w = pandas.Series([1], name=('a', 1)); w.attrs['x'] = 2", "assert v.attrs == {'unit': ['m']} and not v.flags.allows_duplicate_labels", (1, 2)),
    ("sparse columns", "v = pandas.DataFrame({'s': pandas.arrays.SparseArray([0, 0, 1]), 'f': pandas.arrays.SparseArray([1.0, numpy.nan, 2])})",
     "assert v['s'].sparse.density == 1 / 3"),
    ("a slice of a frame", "base = pandas.DataFrame(numpy.arange(200_000.0).reshape(1000, 200)); v = base.iloc[10:20, ::7]", "assert v.iloc[0, 1] == 2007"),
    ("scalars", "v = [pandas.Timestamp('2020-01-01 10:00', tz='Europe/Paris'), pandas.Timedelta('1h'), pandas.NaT, pandas.NA, pandas.Period('2020-01', 'M'),"
     " pandas.Interval(0, 1), pandas.Timestamp('2020')]", "assert v[2] is pandas.NaT and v[3] is pandas.NA"),
    ("offsets", "v = [pandas.offsets.MonthEnd(2), pandas.offsets.BDay(), pandas.offsets.Hour(3), pandas.DateOffset(months=1)]",
     "assert v[0].n == 2", (), False),
    ("group-by", "v = pandas.DataFrame({'a': [1, 1, 2], 'b': [1.0, 2, 3]}).groupby('a')", "assert v['b'].sum().tolist() == [3, 3]", (), False),
)  # fmt: skip

ARROW = _cases(
    "pyarrow",
    ("a table", "v = pyarrow.table({'n': [1, None, 3], 's': ['a', 'b', None], 'f': [1.5, 2.5, None], 'l': [[1], [], None], 'm': [{'a': 1}, None, {'a': 3}]},"
     " metadata={'k': 'v'}) if False else pyarrow.table({'n': [1, None, 3], 's': ['a', 'b', None], 'f': [1.5, 2.5, None], 'l': [[1], [], None], 'm': [{'a': 1}, None, {'a': 3}]})"
     ".replace_schema_metadata({'k': 'v'})", "assert v.validate() is None and v.num_rows == 3"),
    ("arrays", "v = [pyarrow.array([1, 2, None]), pyarrow.array(['a', 'b'] * 5).dictionary_encode(), pyarrow.chunked_array([[1], [2, 3]]), pyarrow.array([True, None])]",
     "[one.validate(full=True) for one in v]"),
    ("slices", "v = pyarrow.array(list(range(100_000)))[500:520]; w = pyarrow.table({'s': ['abc'] * 1000}).slice(3, 4)",
     "assert v[0].as_py() == 500 and w.num_rows == 4"),
    ("a batch", "v = pyarrow.record_batch([pyarrow.array([1]), pyarrow.array([None])], names=['a', 'b']); w = v.schema", "assert w == v.schema"),
    ("nothing", "v = pyarrow.table({'a': pyarrow.array([], pyarrow.int8())}); w = pyarrow.chunked_array([], pyarrow.string())"),
    ("nested", "v = pyarrow.array([[{'a': [1, 2], 'd': 'x'}], None, []]); w = pyarrow.array([b'a', None], pyarrow.binary(1))"),
)  # fmt: skip

POLARS = _cases(
    "polars",
    ("a frame", "import datetime\nv = polars.DataFrame({'n': [1, None, 3], 's': ['a', 'bé', None], 'f': [1.5, None, 2.5], 'd': [datetime.date(2020, 1, 1)] * 3,"
     " 't': [datetime.datetime(2020, 1, 1)] * 3, 'l': [[1], [], None], 'b': [True, None, False]})", "assert v['n'].sum() == 4"),
    ("series", "v = polars.Series('s', ['x', 'y', 'x']); w = [polars.Series('e', [], dtype=polars.Int8), polars.Series('st', [{'a': 1, 'b': 'x'}])]"),
    ("categories", "v = polars.Series('c', ['x', 'y', 'x', None], dtype=polars.Categorical)", "assert v.to_list() == ['x', 'y', 'x', None]"),
    ("an enum", "v = polars.Series('c', ['x', None], dtype=polars.Enum(['y', 'x']))", "", (1, 0)),
    ("objects", "o = [1]\nv = polars.DataFrame({'n': [1, 2], 'o': polars.Series('o', [{1}, {2, 3}], dtype=polars.Object)})", "assert v['o'].to_list() == [{1}, {2, 3}]"),
    ("nothing", "v = polars.DataFrame(); w = polars.DataFrame({'a': polars.Series([], dtype=polars.Utf8)})"),
)  # fmt: skip

TENSORS = _cases(
    "torch",
    ("kinds of number", "v = [torch.arange(3).to(t) for t in (torch.bool, torch.uint8, torch.int8, torch.int64, torch.float16, torch.bfloat16,"
     " torch.float32, torch.float64, torch.complex64)] + [torch.zeros(0, 3), torch.tensor(1.5)]"),
    ("views", "v = torch.arange(20_000.0); w = [v[5:9], v.view(100, 200).t(), v[::2]]", "v[6] = -1; assert w[0][1] == -1 and w[1][6, 0] == -1 and w[2][3] == -1"),
    ("over an array", "import numpy\nv = numpy.zeros(20_000); w = torch.from_numpy(v)[3:]", "w[0] = 5; assert v[3] == 5"),
    ("what shares nothing", "v = torch.ones(20_000); w = torch.ones(20_000)", "v[0] = 5; assert w[0] == 1"),
    ("parameters and gradients", "v = torch.nn.Parameter(torch.ones(3)); (v * 2).sum().backward(); w = torch.ones(2, requires_grad=True)",
     "assert v.grad.tolist() == [2, 2, 2] and v.is_leaf and w.requires_grad"),
    ("tied weights", "v = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)); v[1].weight = v[0].weight; w = v.state_dict()",
     "assert v[0].weight is v[1].weight\nwith torch.no_grad(): v[0].weight[0, 0] = 7\nassert w['0.weight'][0, 0] == 7"),
    ("a model and its optimizer", "v = torch.nn.Linear(2, 1); w = torch.optim.Adam(v.parameters()); v(torch.ones(2)).sum().backward(); w.step()",
     "before = v.weight.tolist(); w.step(); assert v.weight.tolist() != before and w.param_groups[0]['params'][0] is v.weight", (), False),
    ("sparse", "v = torch.eye(3).to_sparse(); w = torch.eye(3).to_sparse_csr()", "assert v.to_dense().sum() == 3 and w.to_dense().sum() == 3"),
    ("attributes", "v = torch.ones(3); v.note = [1]; w = v.note", "assert v.note is w"),
    ("conjugate", "v = torch.tensor([1 + 2j]).conj(); w = v.imag", "assert v.tolist() == [1 - 2j] and w.tolist() == [-2]"),
    ("half precision", "v = torch.ones(3, dtype=torch.bfloat16)[1:]; w = torch.tensor([1.5], dtype=torch.float16)"),
    ("generators", "v = torch.Generator(); v.manual_seed(5); torch.rand(3, generator=v)", "torch.rand(1, generator=v)", (), False),
    ("dtypes, devices, sizes", "v = [torch.float32, torch.device('cpu'), torch.Size([1, 2]), torch.strided]"),
    ("storages", "t = torch.arange(3.0); v = t.untyped_storage(); w = t", "w[0] = 1; assert bytes(v)[:4] == b'\\0\\0\\x80?'", (2, 0), False),
)  # fmt: skip

CASES = (*PLAIN, *ARRAYS, *SPARSE, *FRAMES, *ARROW, *POLARS, *TENSORS)
