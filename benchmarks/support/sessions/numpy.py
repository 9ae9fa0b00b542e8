# NumPy
# needs: numpy
# %%
import numpy as np

# %% matrix: numpy.ndarray
matrix = np.arange(12.0).reshape(3, 4)
# probe: matrix.tolist(), matrix.dtype.str, matrix.flags.c_contiguous

# %% fortran: numpy.ndarray (Fortran order)
fortran = np.asfortranarray(np.arange(6).reshape(2, 3))
# probe: fortran.tolist(), fortran.flags.f_contiguous

# %% view: numpy.ndarray (a view)
view = matrix[::2, 1:]
# probe: np.shares_memory(view, matrix), view.tolist()

# %% words: numpy.ndarray (text)
words = np.array(["a", "bcd"])
# probe: words.tolist(), words.dtype.str

# %% things: numpy.ndarray (of objects)
things = np.array([1, "a", None, [2]], dtype=object)
# probe: things.tolist()

# %% records: numpy.ndarray (structured)
records = np.array([(1, 2.5), (3, 4.5)], dtype=[("n", "i4"), ("x", "f8")])
# probe: records["x"].tolist(), records.dtype.names

# %% rows: numpy.recarray
rows = records.view(np.recarray)
# probe: rows.x.tolist()

# %% masked: numpy.ma.MaskedArray
masked = np.ma.masked_array([1, 2, 3], mask=[0, 1, 0], fill_value=-1)
# probe: masked.tolist(), int(masked.fill_value), masked.mask.tolist()

# %% plane: numpy.matrix
plane = np.matrix([[1, 2], [3, 4]])
# probe: (plane * plane).tolist()

# %% real: numpy.float64
real = np.float64(0.1) * 3
# probe: float(real).hex()

# %% small: numpy.int8
small = np.int8(-7)
# probe: int(small), small.dtype.str

# %% instant: numpy.datetime64
instant = np.datetime64("2024-02-29T12:00", "s")
# probe: str(instant), np.datetime_data(instant.dtype)

# %% layout: numpy.dtypes.VoidDType
layout = np.dtype([("a", "<i2"), ("b", "U4")])
# probe: layout.descr, layout.itemsize

# %% draw: numpy.random.Generator
draw = np.random.default_rng(7)
draw.normal(size=3)
# probe: float(draw.normal()), draw.integers(0, 100, 3).tolist()

# %% seedless: numpy.random.Generator (seeded by the system)
seedless = np.random.default_rng()
# probe: seedless.integers(0, 10**9, 3).tolist()

# %% old_draw: numpy.random.mtrand.RandomState
old_draw = np.random.RandomState(3)
old_draw.rand(2)
# probe: old_draw.rand(2).tolist()

# %% bits: numpy.random.Philox
bits = np.random.Philox(5)
# probe: bits.random_raw(2).tolist()

# %% curve: numpy.polynomial.Polynomial
curve = np.polynomial.Polynomial([1, 2, 3])
# probe: curve(2.0).tolist(), curve.deriv().coef.tolist()

# %% power: numpy.poly1d
power = np.poly1d([1, 0, -2])
# probe: power(3).tolist(), power.order

# %% adding: numpy.ufunc
adding = np.add
# probe: adding is np.add


# %% loud: numpy.vectorize
def _loud(x):
    return x * 2 + 1


loud = np.vectorize(_loud)
# probe: loud([1, 2]).tolist()

# %% walk: numpy.nditer
walk = np.nditer(np.arange(4))
next(walk)
# probe: walk.iterindex, int(walk.value)

# %% mapped: numpy.memmap
mapped = np.memmap("mapped.bin", dtype="f8", mode="w+", shape=(4,))
mapped[:] = [1, 2, 3, 4]
# probe: mapped.tolist()
