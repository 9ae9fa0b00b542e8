"""NETWORK: what talks to another machine."""

from nbdag.analysis.effects.rules import RuleSet, Shape
from nbdag.model.facts import EffectKind


def from_url(shape: Shape) -> bool:
    """``pd.read_csv("https://...")``."""
    source = shape.argument(0, "filepath_or_buffer")
    return isinstance(source, str) and source.startswith(("http://", "https://", "ftp://", "s3://", "gs://"))


RULES = RuleSet(
    kind=EffectKind.NETWORK,
    calls="""
        requests.* httpx.* aiohttp.ClientSession urllib.request.* urllib2.* urllib.urlopen http.client.HTTPConnection
        http.client.HTTPSConnection socket.socket socket.create_connection socket.getaddrinfo socket.gethostbyname
        ftplib.FTP smtplib.SMTP telnetlib.Telnet boto3.* wget.download gdown.download yfinance.* pandas_datareader.*
        sklearn.datasets.fetch_openml sklearn.datasets.fetch_california_housing sklearn.datasets.fetch_20newsgroups
        sklearn.datasets.fetch_olivetti_faces sklearn.datasets.fetch_lfw_people sklearn.datasets.fetch_covtype
        seaborn.load_dataset nltk.download huggingface_hub.* datasets.load_dataset transformers.pipeline
        torchvision.datasets.* tensorflow.keras.datasets.* statsmodels.api.datasets.get_rdataset
        statsmodels.datasets.get_rdataset openai.* psycopg2.connect pymysql.connect sqlalchemy.create_engine
        pymongo.MongoClient redis.Redis kaggle.* paramiko.*
    """,
    judged=(
        ("pandas.read_csv pandas.read_table pandas.read_json pandas.read_excel pandas.read_html pandas.read_parquet "
         "polars.read_csv polars.read_parquet pandas.read_xml numpy.genfromtxt numpy.loadtxt", from_url),
    ),
    not_calls="requests.exceptions.HTTPError requests.exceptions.RequestException urllib.request.pathname2url",
)  # fmt: skip
