"""DISPLAY: what is shown to the user and cannot be read back by a later statement."""

from nbdag.analysis.effects.rules import RuleSet, Shape
from nbdag.model.facts import EffectKind


def to_the_screen(shape: Shape) -> bool:
    """``print(..., file=f)`` writes elsewhere."""
    return shape.keywords.get("file") is None


RULES = RuleSet(
    kind=EffectKind.DISPLAY,
    calls="""
        builtins.display builtins.help pprint.pprint pprint.pp rich.print logging.debug logging.info logging.warning
        logging.error logging.critical logging.exception logging.log logging.Logger.debug logging.Logger.info
        logging.Logger.warning logging.Logger.error logging.Logger.critical logging.Logger.exception
        warnings.warn traceback.print_exc sys.stdout.write sys.stderr.write sys.stdout.flush
        IPython.display.display IPython.display.clear_output IPython.display.display_html
        IPython.display.display_markdown IPython.display.update_display
        matplotlib.pyplot.* matplotlib.Axes.* matplotlib.Figure.* matplotlib.Artist.* seaborn.*
        pandas.DataFrame.plot pandas.DataFrame.hist pandas.DataFrame.boxplot pandas.Series.plot pandas.Series.hist
        pandas.GroupBy.plot pandas.GroupBy.hist pandas.GroupBy.boxplot pandas.Plot.* pandas.plotting.*
        pandas.DataFrame.info plotly.Figure.show bokeh.plotting.show bokeh.io.show plotly.express.*
        statsmodels.Results.plot_diagnostics statsmodels.Results.plot_predict statsmodels.graphics.*
        statsmodels.api.graphics.* sklearn.tree.plot_tree sklearn.Display.plot graphviz.Source seaborn.Grid.*
        seaborn.Plot.show seaborn.Plot.plot numpy.info numpy.show_config torch.__config__.show
        tqdm.tqdm tqdm.trange tqdm.write
    """,
    methods="plot hist boxplot scatter show",
    judged=(("builtins.print", to_the_screen),),
    not_calls="""
        matplotlib.pyplot.rc matplotlib.pyplot.rcdefaults matplotlib.pyplot.style.use matplotlib.pyplot.style.context
        matplotlib.pyplot.rc_context matplotlib.pyplot.savefig matplotlib.pyplot.get_cmap matplotlib.pyplot.imread
        matplotlib.pyplot.switch_backend matplotlib.pyplot.ion matplotlib.pyplot.ioff matplotlib.pyplot.rcParams.*
        seaborn.load_dataset seaborn.set seaborn.set_theme seaborn.set_style seaborn.set_context seaborn.set_palette
        seaborn.color_palette seaborn.light_palette seaborn.dark_palette seaborn.diverging_palette
        seaborn.axes_style seaborn.reset_defaults seaborn.plotting_context
    """,
)
