"""CLOCK: what is new at every run: the time, fresh identifiers, the operating system's randomness, addresses."""

from nbdag.analysis.effects.rules import UNKNOWN, RuleSet, Shape, Typed
from nbdag.model.facts import EffectKind


def without_seed(shape: Shape) -> bool:
    """A generator made without a seed takes one from the operating system."""
    seed = shape.argument(0, "seed")
    return seed is None or (seed is UNKNOWN and ("*" in shape.keywords or "**" in shape.keywords))


def without_time(shape: Shape) -> bool:
    """``time.strftime(format)`` and ``time.localtime()`` take the present time if they are given none."""
    return len(shape.positional) + len(shape.keywords) == 0


def format_only(shape: Shape) -> bool:
    return len(shape.positional) < 2


def now_or_today(shape: Shape) -> bool:
    """``pd.to_datetime("now")``, ``pd.Timestamp("today")``, ``np.datetime64("now")``."""
    return bool(shape.positional) and shape.positional[0] in ("now", "today")


def not_of_number(shape: Shape) -> bool:
    """Hashes of strings, bytes and objects differ between processes; those of numbers do not."""
    value = shape.argument(0, "", UNKNOWN)
    return not (isinstance(value, Typed) and value.type in ("int", "float", "complex", "bool", "scalar"))


RULES = RuleSet(
    kind=EffectKind.CLOCK,
    calls="""
        time.time time.time_ns time.perf_counter time.perf_counter_ns time.monotonic time.monotonic_ns
        time.process_time time.process_time_ns time.thread_time time.clock time.clock_gettime timeit.default_timer
        timeit.timeit timeit.repeat
        datetime.datetime.now datetime.datetime.today datetime.datetime.utcnow datetime.date.today
        pandas.Timestamp.now pandas.Timestamp.today pandas.Timestamp.utcnow
        uuid.uuid1 uuid.uuid4 uuid.uuid6 uuid.uuid7 uuid.getnode
        os.urandom os.getrandom os.getpid os.getppid os.times os.getloadavg os.cpu_count os.stat
        os.path.getmtime os.path.getatime os.path.getctime
        secrets.* random.SystemRandom random.SystemRandom.*
        tempfile.mkdtemp tempfile.mkstemp tempfile.mktemp tempfile.NamedTemporaryFile tempfile.TemporaryDirectory
        tempfile.TemporaryFile tempfile.SpooledTemporaryFile
        builtins.id object.__repr__
        threading.get_ident threading.get_native_id threading.current_thread
        resource.getrusage psutil.* gc.get_count gc.get_objects gc.get_stats tracemalloc.get_traced_memory
        arrow.now arrow.utcnow pendulum.now pendulum.today django.utils.timezone.now
        socket.gethostname platform.node getpass.getuser torch.seed torch.initial_seed
        numpy.random.Generator.bit_generator
    """,
    judged=(
        ("numpy.random.default_rng numpy.random.RandomState numpy.random.SeedSequence numpy.random.PCG64 "
         "numpy.random.MT19937 numpy.random.Philox numpy.random.SFC64 random.Random random.seed numpy.random.seed",
         without_seed),
        ("time.localtime time.gmtime time.ctime time.asctime", without_time),
        ("time.strftime", format_only),
        ("pandas.to_datetime pandas.Timestamp numpy.datetime64 pandas.Period", now_or_today),
        ("builtins.hash", not_of_number),
    ),
)  # fmt: skip
