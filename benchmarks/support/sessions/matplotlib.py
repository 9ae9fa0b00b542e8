# Matplotlib
# needs: matplotlib numpy
# %%
import matplotlib.animation
import matplotlib.colors
import matplotlib.pyplot as plt
import matplotlib.tri
import numpy as np

# %% figure: matplotlib.figure.Figure
figure, axes = plt.subplots()
(line,) = axes.plot([1, 2, 3], [1, 4, 9], label="squares")
axes.set_title("a title")
legend = axes.legend()
# probe: figure.axes[0] is axes, figure.get_size_inches().tolist()

# %% axes: matplotlib.axes.Axes
# probe: axes.get_title(), axes.figure is figure, len(axes.lines)

# %% line: matplotlib.lines.Line2D
# probe: line.get_ydata().tolist(), line.axes is axes

# %% legend: matplotlib.legend.Legend
# probe: [t.get_text() for t in legend.get_texts()]

# %% bars: matplotlib.container.BarContainer
bars = axes.bar([1, 2], [3, 4])
# probe: [b.get_height().tolist() for b in bars]

# %% text: matplotlib.text.Text
text = axes.text(1, 1, "here")
# probe: text.get_text(), text.axes is axes

# %% picture: matplotlib.image.AxesImage
picture_figure, picture_axes = plt.subplots()
picture = picture_axes.imshow(np.eye(4))
# probe: picture.get_array().tolist()

# %% bar: matplotlib.colorbar.Colorbar
bar = picture_figure.colorbar(picture)
# probe: float(bar.vmin), float(bar.vmax), bar.mappable is picture

# %% dots: matplotlib.collections.PathCollection
dots_figure, dots_axes = plt.subplots()
dots = dots_axes.scatter([1, 2], [3, 4])
# probe: dots.get_offsets().tolist()

# %% lines: matplotlib.contour.QuadContourSet
lines = plt.figure().subplots().contour(np.outer(np.arange(4), np.arange(4)))
# probe: lines.levels.tolist()

# %% polar: matplotlib.projections.polar.PolarAxes
polar = plt.figure().add_subplot(projection="polar")
# probe: polar.name

# %% grid: matplotlib.gridspec.GridSpec
grid = plt.figure().add_gridspec(2, 2)
# probe: grid.get_geometry()

# %% colours: matplotlib.colors.LinearSegmentedColormap
colours = matplotlib.colors.LinearSegmentedColormap.from_list("mine", ["red", "blue"])
# probe: [round(float(v), 6) for v in colours(0.5)]

# %% listed: matplotlib.colors.ListedColormap
listed = matplotlib.colors.ListedColormap(["red", "green"])
# probe: [float(v) for v in listed(1)]

# %% scale: matplotlib.colors.LogNorm
scale = matplotlib.colors.LogNorm(1, 100)
# probe: float(scale(10))

# %% mesh: matplotlib.tri.Triangulation
mesh = matplotlib.tri.Triangulation([0, 1, 0, 1], [0, 0, 1, 1])
# probe: mesh.triangles.shape


# %% film: matplotlib.animation.FuncAnimation
def frame(n):
    return []


film = matplotlib.animation.FuncAnimation(plt.figure(), frame, frames=3)
film._draw_was_started = True
# probe: film._interval
