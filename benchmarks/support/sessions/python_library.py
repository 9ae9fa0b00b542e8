# Python's standard library: data types.
# needs: python
# %%
import abc
import array
import collections
import contextvars
import csv
import dataclasses
import datetime
import decimal
import difflib
import email.message
import enum
import fractions
import functools
import hashlib
import heapq
import hmac
import http.cookies
import io
import ipaddress
import itertools
import json
import logging
import operator
import pathlib
import queue
import random
import re
import statistics
import string
import struct
import textwrap
import types
import typing
import urllib.parse
import uuid
import weakref
import xml.etree.ElementTree
import zlib
import zoneinfo

# %% tally: collections.Counter
tally = collections.Counter("mississippi")
# probe: tally.most_common(2)

# %% ring: collections.deque
ring = collections.deque([1, 2, 3], maxlen=3)
ring.append(4)
# probe: list(ring), ring.maxlen

# %% groups: collections.defaultdict
groups = collections.defaultdict(list)
groups["a"].append(1)
# probe: groups["new"], dict(groups)

# %% ordered: collections.OrderedDict
ordered = collections.OrderedDict(b=1, a=2)
ordered.move_to_end("b")
# probe: list(ordered)

# %% layers: collections.ChainMap
layers = collections.ChainMap({"a": 1}, {"a": 2, "b": 3})
# probe: layers["a"], layers["b"], layers.parents["a"]

# %% Wine: type (a namedtuple)
Wine = collections.namedtuple("Wine", "name year")
# probe: Wine("x", 1)._fields

# %% bottle: Wine
bottle = Wine("Barolo", 2016)
# probe: bottle.year, isinstance(bottle, Wine)


# %% config: Config (a dataclass)
@dataclasses.dataclass
class Config:
    rate: float
    layers: list = dataclasses.field(default_factory=list)


config = Config(0.1, [1, 2])
# probe: config == Config(0.1, [1, 2]), dataclasses.asdict(config)


# %% shade: Shade (an enum)
class Shade(enum.Enum):
    LIGHT = 1
    DARK = 2


shade = Shade.DARK
# probe: shade is Shade.DARK, shade.name

# %% flags: re.RegexFlag
flags = re.IGNORECASE | re.MULTILINE
# probe: flags == re.IGNORECASE | re.MULTILINE, int(flags)

# %% pattern: re.Pattern
pattern = re.compile(r"(?P<word>\w+)-(\d+)", re.IGNORECASE)
# probe: pattern.match("ab-12").groupdict(), pattern.flags

# %% match: re.Match
match = pattern.match("wine-12")
# probe: match.group("word"), match.span(2)

# %% price: decimal.Decimal
price = decimal.Decimal("19.990")
# probe: str(price * 3)

# %% context: decimal.Context
context = decimal.Context(prec=5, rounding=decimal.ROUND_DOWN)
# probe: context.prec, str(context.divide(decimal.Decimal(2), decimal.Decimal(3)))

# %% current: decimal.Context (that of the session)
current = decimal.getcontext()
current.prec = 28
# probe: current is decimal.getcontext(), current.prec

# %% third: fractions.Fraction
third = fractions.Fraction(1, 3)
# probe: str(third + 1)

# %% moment: datetime.datetime
moment = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=5)))
# probe: moment.isoformat()

# %% day: datetime.date
day = datetime.date(2024, 2, 29)
# probe: day.isoformat()

# %% delay: datetime.timedelta
delay = datetime.timedelta(days=-1, microseconds=5)
# probe: delay.total_seconds()

# %% zone: zoneinfo.ZoneInfo
zone = zoneinfo.ZoneInfo("UTC")
# probe: zone.key, zone is zoneinfo.ZoneInfo("UTC")

# %% numbers: array.array
numbers = array.array("d", [1.5, 2.5])
# probe: numbers.tolist(), numbers.typecode

# %% spelled: functools.partial
spelled = functools.partial(int, base=2)
# probe: spelled("101")


# %% cached: functools._lru_cache_wrapper
@functools.lru_cache(maxsize=10)
def cached(n):
    return n * 2


cached(4)
# probe: cached(5), cached.cache_info().maxsize


# %% shown: function (singledispatch)
@functools.singledispatch
def shown(value):
    return "any"


@shown.register
def _(value: int):
    return "int"


# probe: shown(1), shown("a")


# %% key: functools.KeyWrapper
key = functools.cmp_to_key(lambda a, b: b - a)
# probe: sorted([1, 3, 2], key=key)

# %% endless: itertools.count
endless = itertools.count(10, 3)
next(endless)
# probe: next(endless)

# %% chained: itertools.chain
chained = itertools.chain([1, 2], [3])
next(chained)
# probe: list(chained)

# %% round_robin: itertools.cycle
round_robin = itertools.cycle("abc")
next(round_robin)
# probe: [next(round_robin) for _ in range(4)]

# %% grouped: itertools.groupby
grouped = itertools.groupby([1, 1, 2, 3])
next(grouped)
# probe: [(k, len(list(g))) for k, g in grouped]

# %% first: itertools.islice
first = itertools.islice(range(100), 10, 20, 3)
next(first)
# probe: list(first)

# %% twin: itertools._tee
twin, other = itertools.tee(iter([1, 2, 3]))
next(twin)
# probe: list(twin), list(other)

# %% by_name: operator.attrgetter
by_name = operator.attrgetter("year", "name")
# probe: by_name(bottle)

# %% by_item: operator.itemgetter
by_item = operator.itemgetter(1)
# probe: by_item("abc")

# %% here: pathlib.PosixPath
here = pathlib.Path("data") / "wine.csv"
# probe: here.as_posix(), here.suffix

# %% draw: random.Random
draw = random.Random(5)
draw.random()
# probe: draw.random(), draw.gauss(0, 1)

# %% seedless: random.Random (seeded by the system)
seedless = random.Random()
seedless.random()
# probe: seedless.random()

# %% digest: _hashlib.HASH
digest = hashlib.sha256(b"abc")
# probe: digest.hexdigest()

# %% address: ipaddress.IPv4Network
address = ipaddress.ip_network("10.0.0.0/30")
# probe: [str(a) for a in address]

# %% ident: uuid.UUID
ident = uuid.uuid4()
# probe: str(ident)

# %% parts: urllib.parse.ParseResult
parts = urllib.parse.urlparse("https://example.org/a?b=1#c")
# probe: parts.netloc, parts.geturl()

# %% pages: io.StringIO
pages = io.StringIO("one\ntwo\nthree\n")
pages.readline()
# probe: pages.readline(), pages.tell()

# %% block: io.BytesIO
block = io.BytesIO(b"abcdef")
block.read(2)
# probe: block.read(2)

# %% layout: _struct.Struct
layout = struct.Struct("<hI")
# probe: layout.pack(1, 2)

# %% template: string.Template
template = string.Template("Hello $name")
# probe: template.substitute(name="you")

# %% wrapper: textwrap.TextWrapper
wrapper = textwrap.TextWrapper(width=10, initial_indent="* ")
# probe: wrapper.fill("one two three four")

# %% encoder: json.JSONEncoder
encoder = json.JSONEncoder(indent=1, sort_keys=True)
# probe: encoder.encode({"b": 1, "a": 2})

# %% tree: xml.etree.ElementTree.ElementTree
tree = xml.etree.ElementTree.ElementTree(xml.etree.ElementTree.fromstring("<a x='1'><b>t</b></a>"))
# probe: tree.getroot().attrib, tree.find("b").text

# %% element: xml.etree.ElementTree.Element
element = xml.etree.ElementTree.fromstring("<a x='1'><b>t</b></a>")
# probe: xml.etree.ElementTree.tostring(element)

# %% packer: zlib.Compress
packer = zlib.compressobj()
packed = packer.compress(b"abc" * 100)
# probe: zlib.decompress(packed + packer.flush())

# %% reader: _csv.reader
reader = csv.reader(io.StringIO("a,b\n1,2\n3,4\n"))
next(reader)
# probe: next(reader)

# %% logger: logging.Logger
logger = logging.getLogger("support")
logger.setLevel(logging.DEBUG)
# probe: logger.level, logger is logging.getLogger("support")

# %% normal: statistics.NormalDist
normal = statistics.NormalDist(10, 2)
# probe: normal.cdf(10), normal.mean

# %% matcher: difflib.SequenceMatcher
matcher = difflib.SequenceMatcher(a="abcd", b="bcde")
# probe: matcher.ratio()

# %% message: email.message.EmailMessage
message = email.message.EmailMessage()
message["Subject"] = "wine"
message.set_content("body")
# probe: message["Subject"], message.get_content()

# %% weak: weakref.ReferenceType
weak = weakref.ref(config)
# probe: weak() is config

# %% registry: weakref.WeakValueDictionary
registry = weakref.WeakValueDictionary(c=config)
# probe: registry["c"] is config

# %% setting: contextvars.ContextVar
setting = contextvars.ContextVar("setting", default=3)
setting.set(4)
# probe: setting.get(), setting.name

# %% jobs: queue.Queue
jobs = queue.Queue()
jobs.put("a")
jobs.put("b")
# probe: jobs.get_nowait(), jobs.qsize()

# %% urgent: queue.PriorityQueue
urgent = queue.PriorityQueue()
urgent.put((2, "b"))
urgent.put((1, "a"))
# probe: urgent.get_nowait()

# %% alias: typing._UnionGenericAlias
alias = typing.Optional[int]
# probe: alias == typing.Optional[int]

# %% variable: typing.TypeVar
variable = typing.TypeVar("variable")
# probe: variable.__name__

# %% view: mappingproxy (over a list)
view = types.MappingProxyType({"a": [1]})
# probe: view["a"]


# %% Shape: abc.ABCMeta
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...


# probe: sorted(Shape.__abstractmethods__)

# %% heap: list (a heap)
heap = [5, 1, 4]
heapq.heapify(heap)
# probe: heapq.heappop(heap)

# %% signature: hmac.HMAC
signature = hmac.new(b"abc", b"text", "sha256")
# probe: signature.hexdigest()

# %% cookie: http.cookies.SimpleCookie
cookie = http.cookies.SimpleCookie("a=1; b=2")
# probe: cookie["a"].value
