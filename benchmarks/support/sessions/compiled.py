# Numba, SymPy, NumExpr
# needs: numba sympy numexpr numpy
# %%
import numba
import numba.typed
import numexpr
import numpy as np
import sympy


# %% fast: numba.core.registry.CPUDispatcher
@numba.njit
def fast(n):
    total = 0
    for i in range(n):
        total += i
    return total


fast(10)
# probe: fast(100)


# %% each: numba.np.ufunc.dufunc.DUFunc
@numba.vectorize
def each(a):
    return a * 2


each(1.5)
# probe: each(np.array([1.0, 2.0])).tolist()

# %% typed: numba.typed.List
typed = numba.typed.List([1, 2, 3])
# probe: list(typed)

# %% keyed: numba.typed.Dict
keyed = numba.typed.Dict.empty(numba.types.int64, numba.types.float64)
keyed[1] = 2.5
# probe: dict(keyed)

# %% x: sympy.Symbol
x = sympy.Symbol("x", positive=True)
# probe: x.is_positive, x.name

# %% formula: sympy.Add
formula = x**2 + 2 * x + 1
# probe: str(sympy.factor(formula)), formula.subs(x, 3) == 16

# %% matrix: sympy.MutableDenseMatrix
matrix = sympy.Matrix([[x, 1], [0, x]])
# probe: str(matrix.det())

# %% called: function (of sympy.lambdify)
called = sympy.lambdify(x, formula)
# probe: called(2)

# %% root: sympy.Rational
root = sympy.Rational(1, 3)
# probe: str(root + 1)

# %% unknown: f (an undefined function of SymPy)
unknown = sympy.Function("f")(x)
# probe: str(unknown.diff(x))

# %% expr: numexpr.NumExpr
expr = numexpr.NumExpr("a * 2", [("a", np.float64)])
# probe: expr(np.array([1.0, 2.0])).tolist()
