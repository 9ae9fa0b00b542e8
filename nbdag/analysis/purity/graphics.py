"""matplotlib, seaborn, plotly, altair: they read what they draw. Figures and axes are what they change."""

FUNCTIONS = {
    "matplotlib.": {
        "pyplot.figure pyplot.gcf": "view -> matplotlib.Figure",  # of a figure: that figure
        "pyplot.axes pyplot.gca pyplot.subplot pyplot.subplot2grid pyplot.twinx pyplot.twiny": (
            "arg0? view -> matplotlib.Axes"
        ),
        "pyplot.subplots pyplot.subplot_mosaic": "-> matplotlib.Axes",
        "pyplot.rc_context pyplot.xkcd pyplot.style.context rc_context style.context": "view -> context",
        "pyplot.cm.* cm.* pyplot.get_cmap colormaps.*": "",
        "pyplot.setp pyplot.sca pyplot.sci pyplot.clabel pyplot.delaxes pyplot.close pyplot.quiverkey": (
            "arg0? view -> matplotlib.Artist"
        ),
        "pyplot.colorbar": "arg0? arg1? arg2? view kw:mappable -> matplotlib.Artist",
        "pyplot.pie": "view -> matplotlib.Artist",
        "pyplot.*Type pyplot.cycler": "parts -> matplotlib.Artist",
        "pyplot.*": "kw:norm -> matplotlib.Artist",  # norm is scaled to the data
        "use style.use rc rcdefaults rcParams.update": "-> None",
        "dates.* ticker.* colors.* patches.* lines.* gridspec.* font_manager.* path.* transforms.* "
        "animation.* collections.* image.* text.*": "parts -> matplotlib.Artist",
    },
    "seaborn.": {
        "load_dataset": "-> pandas.DataFrame",
        "set set_theme set_style set_context set_palette reset_defaults despine move_legend": "-> None",
        "color_palette light_palette dark_palette diverging_palette husl_palette cubehelix_palette": "-> list",
        "axes_style plotting_context": "view -> context",
        "FacetGrid PairGrid JointGrid pairplot relplot catplot displot lmplot jointplot clustermap": (
            "parts -> seaborn.Grid"
        ),
        "*function": "-> matplotlib.Axes",
        "objects.*Type": "parts -> seaborn.Plot",
    },
    "plotly.": {
        "express.data.*": "-> pandas.DataFrame",
        "express.*": "parts -> plotly.Figure",
        "graph_objects.*Type graph_objs.*Type": "parts -> plotly.Figure",
        "subplots.make_subplots": "-> plotly.Figure",
    },
    "altair.": {"*Type": "parts -> altair.Chart", "*function": "-> immutable"},
    "bokeh.": {"plotting.figure": "-> bokeh.Figure", "plotting.show io.show": "-> None"},
}  # fmt: skip

_ARTIST = {
    "get_xlim get_ylim get_title get_xlabel get_ylabel": "-> immutable",
    "get_size_inches": "view",
    "get_figure get_lines get_children get_legend_handles_labels get_xticks get_yticks "
    "get_xticklabels get_yticklabels get_position get_window_extent get_axes "
    "get_legend": "view",
    "savefig show": "-> None",
    "add_subplot add_axes subplots twinx twiny secondary_xaxis secondary_yaxis inset_axes add_gridspec subfigures "
    "subplot_mosaic gca": "self view -> matplotlib.Axes",
    "flatten ravel tolist reshape": "view -> matplotlib.Axes",
    # These change the artist that they are given, and keep it.
    "add_artist add_collection add_image add_line add_patch add_table add_container add_child_axes colorbar clabel "
    "sharex sharey delaxes sca quiverkey": "self arg0 kw:mappable holds view -> matplotlib.Artist",
    "set_figure set_transform set_clip_path": "self arg0? holds view -> matplotlib.Artist",
    "set_agg_filter set_animated set_clip_on set_in_layout set_sketch_params set_visible": (
        "self holds view -> matplotlib.Artist"
    ),
    "*": "self kw:norm view -> matplotlib.Artist",
}

METHODS = {
    "matplotlib.Axes matplotlib.Figure matplotlib.Artist": _ARTIST,
    "seaborn.Grid": {"*": "self same"},
    "seaborn.Plot altair.Chart": {"save show": "-> None", "*": "view -> seaborn.Plot"},
    "plotly.Figure bokeh.Figure": {
        "show write_html write_image": "-> None",
        "to_json to_html to_image to_dict": "",
        "*": "self same",
    },
}

ATTRIBUTES = {
    "matplotlib.Axes matplotlib.Figure matplotlib.Artist": {"[]": "matplotlib.Axes", "*": "matplotlib.Artist"},
    "seaborn.Grid": {"fig figure": "matplotlib.Figure", "ax": "matplotlib.Axes", "axes": "matplotlib.Axes"},
}
