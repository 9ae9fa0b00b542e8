# h5py, Zarr, xarray, Dask
# needs: h5py zarr xarray dask numpy
# %%
import dask
import dask.array
import dask.bag
import h5py
import numpy as np
import xarray
import zarr

with h5py.File("a.h5", "w") as _made:
    _made["x"] = np.arange(5)

# %% file: h5py.File (read)
file = h5py.File("a.h5", "r")
# probe: list(file), file["x"][:].tolist()

# %% dataset: h5py.Dataset
dataset = file["x"]
# probe: dataset[:].tolist()

# %% chunked: zarr.Array (in memory)
chunked = zarr.array(np.arange(10), chunks=5)
# probe: chunked[:].tolist(), chunked.chunks

# %% group: zarr.Group (in memory)
group = zarr.group()
# probe: sorted(group.keys())

# %% labelled: xarray.DataArray
labelled = xarray.DataArray(np.eye(2), dims=("a", "b"), coords={"a": [1, 2]}, name="eye", attrs={"unit": "m"})
# probe: labelled.sel(a=2).values.tolist(), labelled.attrs, labelled.dims

# %% several: xarray.Dataset
several = xarray.Dataset({"t": ("x", [1.5, 2.5])}, coords={"x": [10, 20]})
# probe: several["t"].values.tolist(), list(several.coords)

# %% lazy: dask.array.Array
lazy = dask.array.arange(10, chunks=5) * 2
# probe: lazy.sum().compute().tolist(), lazy.chunks

# %% later: dask.delayed.Delayed
later = dask.delayed(sum)([1, 2, 3])
# probe: later.compute()

# %% bag: dask.bag.Bag
bag = dask.bag.from_sequence([1, 2, 3], npartitions=1)
# probe: bag.compute(scheduler="synchronous")
