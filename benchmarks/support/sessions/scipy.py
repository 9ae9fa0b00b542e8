# SciPy
# needs: scipy numpy
# %%
import numpy as np
import scipy.fft
import scipy.integrate
import scipy.interpolate
import scipy.optimize
import scipy.signal
import scipy.sparse
import scipy.sparse.linalg
import scipy.spatial
import scipy.stats

x = np.linspace(0, 3, 10)
y = np.sin(x)

# %% rows: scipy.sparse.csr_matrix
rows = scipy.sparse.csr_matrix(np.eye(3))
# probe: rows.toarray().tolist(), rows.nnz

# %% columns: scipy.sparse.csc_array
columns = scipy.sparse.csc_array(np.eye(3))
# probe: columns.toarray().tolist()

# %% listed: scipy.sparse.lil_matrix
listed = scipy.sparse.lil_matrix((2, 2))
listed[0, 1] = 5
# probe: listed.toarray().tolist()

# %% keyed: scipy.sparse.dok_matrix
keyed = scipy.sparse.dok_matrix((2, 2))
keyed[1, 0] = 3
# probe: keyed.toarray().tolist()

# %% triples: scipy.sparse.coo_matrix
triples = scipy.sparse.coo_matrix(([1.0], ([0], [1])), shape=(2, 2))
# probe: triples.toarray().tolist()

# %% factored: scipy.sparse.linalg.SuperLU
factored = scipy.sparse.linalg.splu(scipy.sparse.csc_matrix(np.diag([1.0, 2.0, 4.0])))
# probe: factored.solve(np.ones(3)).tolist()

# %% operator: scipy.sparse.linalg.MatrixLinearOperator
operator = scipy.sparse.linalg.aslinearoperator(np.diag([1.0, 2.0]))
# probe: operator.matvec([1, 1]).tolist()

# %% line: scipy.interpolate.interp1d
line = scipy.interpolate.interp1d(x, y)
# probe: float(line(1.5))

# %% smooth: scipy.interpolate.CubicSpline
smooth = scipy.interpolate.CubicSpline(x, y)
# probe: float(smooth(1.5)), float(smooth(1.5, 1))

# %% spline: scipy.interpolate.BSpline
spline = scipy.interpolate.make_interp_spline(x, y)
# probe: float(spline(1.5))

# %% grid: scipy.interpolate.RegularGridInterpolator
grid = scipy.interpolate.RegularGridInterpolator((x,), y)
# probe: float(grid([1.5])[0])

# %% radial: scipy.interpolate.RBFInterpolator
radial = scipy.interpolate.RBFInterpolator(x[:, None], y)
# probe: float(radial([[1.5]])[0])

# %% tree: scipy.spatial.cKDTree
tree = scipy.spatial.cKDTree(np.c_[x, y])
# probe: tree.query([1.0, 1.0])[1]

# %% balls: scipy.spatial.KDTree
balls = scipy.spatial.KDTree(np.c_[x, y])
# probe: balls.query_ball_point([1.0, 1.0], 0.5)

# %% hull: scipy.spatial.ConvexHull
hull = scipy.spatial.ConvexHull(np.c_[x, y])
# probe: float(hull.volume), sorted(hull.vertices.tolist())

# %% mesh: scipy.spatial.Delaunay
mesh = scipy.spatial.Delaunay(np.array([[0, 0], [0, 1], [1, 0], [1, 1.5]]))
# probe: mesh.find_simplex([[0.2, 0.2]]).tolist() != [-1], mesh.simplices.shape

# %% cells: scipy.spatial.Voronoi
cells = scipy.spatial.Voronoi(np.array([[0, 0], [0, 1], [1, 0], [1, 1.5], [0.5, 0.5]]))
# probe: cells.vertices.shape

# %% frozen: scipy.stats.rv_continuous_frozen
frozen = scipy.stats.norm(1, 2)
# probe: float(frozen.cdf(1)), float(frozen.ppf(0.9))

# %% dense: scipy.stats.gaussian_kde
dense = scipy.stats.gaussian_kde(y)
# probe: float(dense([0.5])[0])

# %% fitted: scipy.optimize.OptimizeResult
fitted = scipy.optimize.minimize(lambda v: (v[0] - 1) ** 2, [0.0])
# probe: fitted.success, round(float(fitted.x[0]), 6)

# %% bounds: scipy.optimize.Bounds
bounds = scipy.optimize.Bounds([0.0], [2.0])
# probe: bounds.lb.tolist() if hasattr(bounds.lb, "tolist") else bounds.lb

# %% course: scipy.integrate.OdeResult
course = scipy.integrate.solve_ivp(lambda t, v: -v, (0, 1), [1.0], dense_output=True)
# probe: float(course.sol(0.5)[0])


# %% stepping: scipy.integrate.RK45
def decay(t, v):
    return -v


stepping = scipy.integrate.RK45(decay, 0.0, np.array([1.0]), 5.0)
stepping.step()
# probe: stepping.step(), float(stepping.t), float(stepping.y[0])

# %% system: scipy.signal.TransferFunctionContinuous
system = scipy.signal.TransferFunction([1.0], [1.0, 2.0])
# probe: system.poles.tolist(), system.num.tolist()

# %% sobol: scipy.stats.qmc.Sobol
sobol = scipy.stats.qmc.Sobol(2, seed=3)
sobol.random(4)
# probe: sobol.random(2).tolist()

# %% turn: scipy.spatial.transform.Rotation
turn = scipy.spatial.transform.Rotation.from_euler("z", 90, degrees=True)
# probe: turn.as_euler("zyx", degrees=True).round(6).tolist()
