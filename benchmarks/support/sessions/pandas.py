# pandas
# needs: pandas numpy
# %%
import io

import pandas as pd

# %% frame: pandas.DataFrame
frame = pd.DataFrame({"n": [1, 2, 3], "x": [0.5, None, 2.5], "name": ["a", "b", None]})
# probe: frame.to_csv(), [str(t) for t in frame.dtypes]

# %% sliced: pandas.DataFrame (a slice)
sliced = frame[["n", "x"]].iloc[1:]
# probe: sliced.to_csv(), list(sliced.index)

# %% rich: pandas.DataFrame (extension types)
rich = pd.DataFrame({"i": pd.array([1, None], dtype="Int64"), "s": pd.array(["a", None], dtype="string")})
# probe: rich.to_csv(), [str(t) for t in rich.dtypes]

# %% noted: pandas.DataFrame (with attrs)
noted = frame.copy()
noted.attrs["source"] = "cellar"
# probe: noted.attrs

# %% column: pandas.Series
column = pd.Series([1.5, 2.5], index=["a", "b"], name="x")
# probe: column.to_dict(), column.name

# %% kinds: pandas.Categorical
kinds = pd.Categorical(["a", "b", "a"], categories=["b", "a"], ordered=True)
# probe: list(kinds), list(kinds.categories), kinds.ordered

# %% labels: pandas.Index
labels = pd.Index(["x", "y"], name="axis")
# probe: list(labels), labels.name

# %% counted: pandas.RangeIndex
counted = pd.RangeIndex(2, 10, 3)
# probe: list(counted), counted.step

# %% nested: pandas.MultiIndex
nested = pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["k", "n"])
# probe: list(nested), list(nested.names)

# %% dates: pandas.DatetimeIndex
dates = pd.date_range("2024-01-01", periods=3, freq="D", tz="Europe/Berlin")
# probe: [d.isoformat() for d in dates], dates.freqstr

# %% months: pandas.PeriodIndex
months = pd.period_range("2024-01", periods=3, freq="M")
# probe: [str(p) for p in months]

# %% gaps: pandas.TimedeltaIndex
gaps = pd.to_timedelta([1, 2], unit="h")
# probe: [d.total_seconds() for d in gaps]

# %% bins: pandas.IntervalIndex
bins = pd.interval_range(0, 3)
# probe: [str(b) for b in bins]

# %% moment: pandas.Timestamp
moment = pd.Timestamp("2024-02-29 12:00", tz="UTC")
# probe: moment.isoformat()

# %% month: pandas.Period
month = pd.Period("2024-03")
# probe: str(month + 1)

# %% span: pandas.Interval
span = pd.Interval(1, 2, closed="left")
# probe: 1 in span, 2 in span

# %% delay: pandas.Timedelta
delay = pd.Timedelta("1 days 2 hours")
# probe: delay.total_seconds()

# %% workday: pandas.offsets.BusinessDay
workday = pd.offsets.BDay(2)
# probe: (pd.Timestamp("2024-03-01") + workday).isoformat()

# %% sparse: pandas.arrays.SparseArray
sparse = pd.arrays.SparseArray([0, 0, 1, 2])
# probe: sparse.density, list(map(int, sparse.to_dense()))

# %% grouped: pandas.DataFrameGroupBy
grouped = frame.groupby("n")
# probe: grouped["x"].sum().tolist(), len(grouped)

# %% rolling: pandas.Rolling
rolling = column.rolling(2)
# probe: rolling.sum().tolist()[1:]

# %% styled: pandas.Styler
styled = frame.style.format(precision=1)
# probe: styled.data.shape

# %% chunks: pandas.TextFileReader
chunks = pd.read_csv(io.StringIO("a,b\n1,2\n3,4\n5,6\n"), chunksize=1)
next(chunks)
# probe: next(chunks)["a"].tolist()

# %% missing: pandas.NAType
missing = pd.NA
# probe: missing is pd.NA
