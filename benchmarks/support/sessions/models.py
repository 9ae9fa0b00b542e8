# Pydantic, attrs, Pint, Astropy, sortedcontainers, Joblib, dateutil, pytz
# needs: pydantic attrs pint astropy sortedcontainers joblib python-dateutil pytz
# %%
import astropy.coordinates
import astropy.table
import astropy.time
import astropy.units
import attrs
import dateutil.relativedelta
import dateutil.rrule
import dateutil.tz
import joblib
import pint
import pydantic
import pytz
import sortedcontainers


# %% Wine: ModelMetaclass (a pydantic model)
class Wine(pydantic.BaseModel):
    name: str
    year: int = 2020


# probe: sorted(Wine.model_fields)

# %% bottle: Wine
bottle = Wine(name="Barolo")
# probe: bottle.model_dump(), bottle == Wine(name="Barolo")

# %% adapter: pydantic.TypeAdapter
adapter = pydantic.TypeAdapter(list[int])
# probe: adapter.validate_python(["1", 2])


# %% glass: Glass (an attrs class)
@attrs.define
class Glass:
    size: int
    marks: list = attrs.field(factory=list)


glass = Glass(3)
# probe: attrs.asdict(glass), glass == Glass(3)

# %% units: pint.UnitRegistry
units = pint.UnitRegistry()
# probe: str(units("3 km").to("m"))

# %% length: pint.Quantity
length = 3 * units.km
# probe: length.to("m").magnitude, length._REGISTRY is units

# %% far: astropy.units.Quantity
far = 3 * astropy.units.km
# probe: far.to("m").value.tolist() if hasattr(far.value, "tolist") else float(far.to("m").value)

# %% star: astropy.coordinates.SkyCoord
star = astropy.coordinates.SkyCoord(10.0, 20.0, unit="deg")
# probe: round(float(star.galactic.l.deg), 9)

# %% when: astropy.time.Time
when = astropy.time.Time("2024-01-01T00:00:00")
# probe: when.mjd.tolist() if hasattr(when.mjd, "tolist") else float(when.mjd)

# %% listing: astropy.table.Table
listing = astropy.table.Table({"a": [1, 2], "b": ["x", "y"]})
# probe: listing.colnames, listing["a"].tolist()

# %% ordered: sortedcontainers.SortedDict
ordered = sortedcontainers.SortedDict({"b": 1, "a": 2})
# probe: list(ordered), ordered.peekitem(0)

# %% line: sortedcontainers.SortedList
line = sortedcontainers.SortedList([3, 1, 2])
# probe: line.bisect(2), list(line)

# %% store: joblib.Memory
store = joblib.Memory("cache", verbose=0)
# probe: str(store.location)

# %% crew: joblib.Parallel
crew = joblib.Parallel(n_jobs=1)
# probe: crew(joblib.delayed(abs)(-n) for n in [1, 2])

# %% step: dateutil.relativedelta.relativedelta
step = dateutil.relativedelta.relativedelta(months=1, day=31)
# probe: step.months, step.day

# %% rule: dateutil.rrule.rrule
import datetime

rule = dateutil.rrule.rrule(dateutil.rrule.DAILY, count=2, dtstart=datetime.datetime(2024, 1, 1))
# probe: [d.isoformat() for d in rule]

# %% zone: dateutil.tz.tzutc
zone = dateutil.tz.tzutc()
# probe: zone is dateutil.tz.tzutc()

# %% berlin: pytz.tzfile.Europe/Berlin
berlin = pytz.timezone("Europe/Berlin")
# probe: berlin is pytz.timezone("Europe/Berlin"), berlin.zone
