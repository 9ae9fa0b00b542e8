# Shapely, GeoPandas, pyproj, Rasterio
# needs: shapely geopandas pyproj rasterio numpy
# %%
import geopandas
import numpy as np
import pyproj
import rasterio
import rasterio.transform
import shapely
import shapely.geometry
import shapely.prepared

# %% point: shapely.Point
point = shapely.geometry.Point(1, 2, 3)
# probe: point.wkt, point.has_z

# %% shape: shapely.Polygon
shape = shapely.geometry.Polygon([(0, 0), (4, 0), (4, 4)], [[(2, 1), (3, 1), (3, 2)]])
# probe: shape.area, len(shape.interiors)

# %% track: shapely.LineString
track = shapely.geometry.LineString([(0, 0), (3, 4)])
# probe: track.length

# %% several: shapely.MultiPolygon
several = shapely.geometry.MultiPolygon([shape.buffer(0)])
# probe: several.area

# %% index: shapely.STRtree
index = shapely.STRtree([point, shape])
# probe: index.query(shapely.geometry.box(0.5, 1.5, 1.5, 2.5)).tolist()

# %% ready: shapely.prepared.PreparedGeometry
ready = shapely.prepared.prep(shape)
# probe: ready.contains(shapely.geometry.Point(3.5, 0.5))

# %% places: geopandas.GeoDataFrame
places = geopandas.GeoDataFrame({"n": [1]}, geometry=[shapely.geometry.Point(9, 48)], crs="EPSG:4326")
# probe: places.geometry.iloc[0].wkt, places.crs.to_epsg()

# %% geometry: geopandas.GeoSeries
geometry = places.geometry.buffer(0)
# probe: len(geometry), geometry.crs.to_epsg()

# %% crs: pyproj.CRS
crs = pyproj.CRS.from_epsg(3857)
# probe: crs.to_epsg(), crs.name

# %% across: pyproj.Transformer
across = pyproj.Transformer.from_crs(4326, 3857, always_xy=True)
# probe: [round(v, 3) for v in across.transform(9, 48)]

# %% earth: pyproj.Geod
earth = pyproj.Geod(ellps="WGS84")
# probe: round(earth.line_length([0, 1], [0, 1]), 3)

# %% affine: affine.Affine
affine = rasterio.transform.from_origin(0, 10, 1, 1)
# probe: affine * (1, 1)

# %% raster: rasterio.io.DatasetReader
with rasterio.open("a.tif", "w", driver="GTiff", width=2, height=2, count=1, dtype="uint8") as _made:
    _made.write(np.array([[[1, 2], [3, 4]]], dtype="uint8"))
raster = rasterio.open("a.tif")
# probe: raster.read(1).tolist()

# %% memory: rasterio.io.MemoryFile
memory = rasterio.MemoryFile(open("a.tif", "rb").read())
# probe: memory.open().read(1).tolist()

# %% profile: rasterio.profiles.Profile
profile = raster.profile
# probe: profile["driver"], profile["width"]
