# Plotly, Bokeh, Altair, seaborn
# needs: plotly bokeh altair seaborn pandas
# %%
import altair
import bokeh.models
import bokeh.plotting
import pandas as pd
import plotly.express
import plotly.graph_objects
import seaborn
import seaborn.objects

frame = pd.DataFrame({"x": [1, 2, 3], "y": [3, 1, 2], "k": ["a", "b", "a"]})

# %% drawn: plotly.graph_objs.Figure
drawn = plotly.express.scatter(frame, x="x", y="y", color="k")
# probe: drawn.to_json()

# %% trace: plotly.graph_objs.Scatter
trace = plotly.graph_objects.Scatter(x=[1, 2], y=[3, 4])
# probe: trace.to_plotly_json()["x"]

# %% plot: bokeh.plotting.figure
plot = bokeh.plotting.figure(title="a title")
plot.line([1, 2], [3, 4])
# probe: plot.title.text, len(plot.renderers)

# %% source: bokeh.models.ColumnDataSource
source = bokeh.models.ColumnDataSource(frame)
# probe: sorted(source.data), list(source.data["x"])

# %% chart: altair.Chart
chart = altair.Chart(frame).mark_point().encode(x="x:Q", y="y:Q")
# probe: chart.to_dict()["encoding"]

# %% facets: seaborn.axisgrid.FacetGrid
facets = seaborn.FacetGrid(frame, col="k")
# probe: facets.axes.shape, facets.figure.axes[0] is facets.axes.flat[0]

# %% joint: seaborn.axisgrid.JointGrid
joint = seaborn.JointGrid(data=frame, x="x", y="y")
# probe: joint.ax_joint.figure is joint.figure

# %% recipe: seaborn.objects.Plot
recipe = seaborn.objects.Plot(frame, "x", "y")
# probe: type(recipe.add(seaborn.objects.Dot())).__name__
