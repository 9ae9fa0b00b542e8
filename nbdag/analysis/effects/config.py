"""CONFIG: options that a library keeps for the whole process, and that change what later statements do."""

from nbdag.analysis.effects.rules import RuleSet
from nbdag.model.facts import EffectKind

RULES = RuleSet(
    kind=EffectKind.CONFIG,
    calls="""
        pandas.set_option pandas.reset_option pandas.option_context pandas.options.*
        numpy.set_printoptions numpy.seterr numpy.seterrcall numpy.setbufsize numpy.errstate
        matplotlib.use matplotlib.rc matplotlib.rcdefaults matplotlib.rcParams.update matplotlib.style.use
        matplotlib.pyplot.rc matplotlib.pyplot.rcdefaults matplotlib.pyplot.style.use
        matplotlib.pyplot.rcParams.update matplotlib.pyplot.switch_backend matplotlib.pyplot.ion
        matplotlib.pyplot.ioff matplotlib.pyplot.xkcd matplotlib_inline.backend_inline.set_matplotlib_formats
        IPython.display.set_matplotlib_formats
        seaborn.set seaborn.set_theme seaborn.set_style seaborn.set_context seaborn.set_palette
        seaborn.reset_defaults seaborn.set_color_codes
        warnings.filterwarnings warnings.simplefilter warnings.resetwarnings
        logging.basicConfig logging.disable logging.captureWarnings logging.addLevelName logging.Logger.setLevel
        logging.Logger.addHandler logging.Logger.removeHandler logging.Logger.addFilter logging.Logger.removeFilter
        logging.setLoggerClass logging.setLogRecordFactory logging.config.dictConfig logging.config.fileConfig
        locale.setlocale decimal.setcontext decimal.getcontext sys.setrecursionlimit sys.settrace sys.setprofile
        sys.setswitchinterval gc.disable gc.enable gc.set_threshold gc.freeze socket.setdefaulttimeout
        torch.set_default_dtype torch.set_num_threads torch.set_grad_enabled torch.use_deterministic_algorithms
        torch.set_default_device torch.set_printoptions torch.set_default_tensor_type
        sklearn.set_config polars.Config.* tensorflow.config.* jax.config.update
        plotly.offline.init_notebook_mode plotly.io.templates.default bokeh.io.output_notebook
        bokeh.plotting.output_notebook altair.renderers.enable altair.data_transformers.enable
        pandas.plotting.register_matplotlib_converters pandas.DataFrame.style.*
        copyreg.pickle copyreg.constructor codecs.register codecs.register_error csv.register_dialect
        mimetypes.add_type xarray.set_options dask.config.set sympy.init_printing
        matplotlib.colormaps.register matplotlib.pyplot.register_cmap matplotlib.cm.register_cmap
        random.seed numpy.random.seed torch.manual_seed atexit.register signal.signal faulthandler.enable
        tqdm.tqdm.pandas statsmodels.api.set_*
    """,
    stores="""
        pandas.options.* matplotlib.rcParams matplotlib.pyplot.rcParams torch.backends.* numpy.random.bit_generator
        seaborn.algorithms.* decimal.getcontext.* sys.stdout sys.stderr sys.displayhook sys.excepthook
        plotly.io.templates plotly.io.renderers warnings.showwarning
    """,
)
