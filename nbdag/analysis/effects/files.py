"""FILE_READ and FILE_WRITE: files that a statement opens, makes, moves or asks about."""

from nbdag.analysis.effects.rules import UNKNOWN, RuleSet, Shape, Typed
from nbdag.model.facts import EffectKind


def opens_to_read(shape: Shape) -> bool:
    mode = shape.argument(1, "mode", "r")
    return not isinstance(mode, str) or not set(mode) & set("wax") or "+" in mode


def opens_to_write(shape: Shape) -> bool:
    mode = shape.argument(1, "mode", "r")
    return isinstance(mode, str) and bool(set(mode) & set("wax+"))


def opens_somehow(shape: Shape) -> bool:
    """The mode is not known."""
    return not isinstance(shape.argument(1, "mode", "r"), str)


def path_opens_to_read(shape: Shape) -> bool:
    mode = shape.argument(0, "mode", "r")
    return not isinstance(mode, str) or not set(mode) & set("wax") or "+" in mode


def path_opens_to_write(shape: Shape) -> bool:
    mode = shape.argument(0, "mode", "r")
    return isinstance(mode, str) and bool(set(mode) & set("wax+"))


def to_a_path(shape: Shape) -> bool:
    """``df.to_csv(path)`` writes, ``df.to_csv()`` returns the text."""
    return bool(shape.positional or set(shape.keywords) & {"path_or_buf", "buf", "path", "excel_writer", "fname", "**"})


def not_from_memory(shape: Shape) -> bool:
    """``pd.read_csv(io.StringIO(text))`` reads no file."""
    source = shape.argument(0, "filepath_or_buffer", UNKNOWN)
    if isinstance(source, str) and source.startswith(("http://", "https://", "ftp://", "s3://", "gs://")):
        return False
    return not (isinstance(source, Typed) and source.type in ("file", "bytes"))


_READERS = (
    "pandas.read_csv pandas.read_table pandas.read_excel pandas.read_parquet pandas.read_json pandas.read_pickle "
    "pandas.read_feather pandas.read_hdf pandas.read_fwf pandas.read_stata pandas.read_sas pandas.read_spss "
    "pandas.read_orc pandas.read_xml polars.read_csv polars.read_parquet polars.read_json polars.read_ipc "
    "polars.read_excel polars.scan_csv polars.scan_parquet polars.scan_ipc polars.scan_ndjson geopandas.read_file "
    "dask.dataframe.read_csv dask.dataframe.read_parquet pyarrow.parquet.read_table pyarrow.csv.read_csv "
    "xarray.open_dataset xarray.open_dataarray xarray.load_dataset"
)
_TABLES = ("pandas.DataFrame", "pandas.Series")
_WRITERS = (
    "to_csv to_json to_html to_latex to_markdown to_string to_excel to_parquet to_pickle to_hdf to_feather to_stata"
)

# What comes with an installed package (sklearn.datasets.load_wine) is not a file of the session: it is not listed.
READS = RuleSet(
    kind=EffectKind.FILE_READ,
    calls="""
        pandas.ExcelFile pandas.HDFStore numpy.load numpy.loadtxt numpy.genfromtxt numpy.fromfile numpy.memmap
        scipy.io.loadmat scipy.io.wavfile.read joblib.load torch.load h5py.File netCDF4.Dataset cv2.imread
        PIL.Image.open imageio.imread imageio.v2.imread imageio.v3.imread skimage.io.imread matplotlib.pyplot.imread
        matplotlib.image.imread soundfile.read librosa.load pathlib.Path.read_text pathlib.Path.read_bytes
        pathlib.Path.glob pathlib.Path.rglob pathlib.Path.iterdir pathlib.Path.exists pathlib.Path.stat
        pathlib.Path.is_file pathlib.Path.is_dir os.listdir os.scandir os.walk os.stat os.readlink os.access
        os.path.exists os.path.isfile os.path.isdir os.path.getsize os.path.getmtime glob.glob glob.iglob
        gzip.open bz2.open lzma.open zipfile.ZipFile tarfile.open sqlite3.connect shelve.open
        linecache.getline fileinput.input configparser.ConfigParser.read tomllib.load
        sklearn.datasets.load_files shutil.copy shutil.copyfile shutil.copytree shutil.copy2 shutil.disk_usage
        pickle.load json.load yaml.safe_load yaml.load csv.reader csv.DictReader
        IPython.display.Image
    """,
    maybe="pandas.read_sql pandas.read_sql_query pandas.read_sql_table pandas.read_html importlib.resources.files",
    methods="read_text read_bytes",
    judged=(
        (_READERS, not_from_memory),
        ("builtins.open io.open codecs.open gzip.open bz2.open lzma.open", opens_to_read),
        ("pathlib.Path.open", path_opens_to_read),
    ),
)  # fmt: skip

WRITES = RuleSet(
    kind=EffectKind.FILE_WRITE,
    calls="""
        numpy.save numpy.savetxt numpy.savez numpy.savez_compressed numpy.ndarray.tofile numpy.ndarray.dump
        pickle.dump json.dump joblib.dump torch.save yaml.dump yaml.safe_dump cloudpickle.dump dill.dump
        dill.dump_session scipy.io.savemat scipy.io.wavfile.write matplotlib.pyplot.savefig matplotlib.pyplot.imsave
        matplotlib.Figure.savefig matplotlib.Artist.savefig matplotlib.Axes.savefig seaborn.Grid.savefig
        seaborn.Plot.save cv2.imwrite imageio.imwrite imageio.mimsave skimage.io.imsave
        pandas.ExcelWriter pathlib.Path.write_text pathlib.Path.write_bytes pathlib.Path.mkdir pathlib.Path.unlink
        pathlib.Path.rename pathlib.Path.replace pathlib.Path.touch pathlib.Path.rmdir
        pathlib.Path.symlink_to os.makedirs os.mkdir os.remove os.unlink os.rmdir os.rename os.replace os.symlink
        os.chmod os.utime os.removedirs os.truncate os.link
        shutil.copy shutil.copy2 shutil.copyfile shutil.copytree shutil.move shutil.rmtree shutil.make_archive
        shutil.unpack_archive
        polars.DataFrame.write_csv polars.DataFrame.write_parquet polars.DataFrame.write_json
        polars.DataFrame.write_ipc polars.DataFrame.write_excel plotly.Figure.write_html plotly.Figure.write_image
        pandas.DataFrame.to_sql shelve.open file.write file.writelines
        pyarrow.parquet.write_table csv.writer csv.DictWriter tempfile.mkdtemp tempfile.NamedTemporaryFile
    """,
    maybe="sqlite3.connect h5py.File zipfile.ZipFile tarfile.open",
    methods="""
        savefig write_text write_bytes to_parquet to_excel to_pickle to_hdf to_feather to_stata to_sql to_netcdf
        write_csv write_parquet mkdir unlink write_image write_html tofile save
    """,
    judged=(
        ("builtins.open io.open codecs.open gzip.open bz2.open lzma.open", opens_to_write),
        ("pathlib.Path.open", path_opens_to_write),
        (" ".join(f"{table}.{writer}" for table in _TABLES for writer in _WRITERS.split()), to_a_path),
    ),
    judged_maybe=(("builtins.open io.open codecs.open", opens_somehow),),
    judged_methods=(("to_csv to_json to_html to_latex to_markdown", to_a_path),),
)  # fmt: skip

RULES = (READS, WRITES)
