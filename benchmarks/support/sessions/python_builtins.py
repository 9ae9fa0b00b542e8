# Python: built-in types and what functions, classes and iterators are made of.
# needs: python
# %%
import types

# %% integer: int
integer = 2**200 + 1
# probe: integer

# %% real: float
real = 0.1 + 0.2
# probe: real.hex()

# %% plane: complex
plane = complex(1.5, -0.0)
# probe: repr(plane)

# %% text: str
text = "naïve 😀 text"
# probe: text

# %% raw: bytes
raw = bytes(range(256))
# probe: raw

# %% buffer: bytearray
buffer = bytearray(b"abc")
# probe: buffer.extend(b"d") or bytes(buffer)

# %% window: memoryview
window = memoryview(bytearray(b"abcdef"))[1:4]
# probe: window.tobytes(), window.readonly

# %% items: list
items = [1, [2, 3]]
items.append(items)
# probe: items[2] is items, items[:2]

# %% pair: tuple
pair = (1, ("a", None))
# probe: pair

# %% table: dict
table = {"b": 1, "a": {2: (3,)}}
# probe: list(table.items())

# %% colours: set
colours = {"red", "green", 3}
# probe: sorted(map(str, colours))

# %% frozen: frozenset
frozen = frozenset({(1, 2), (3, 4)})
# probe: sorted(frozen)

# %% span: range
span = range(3, 30, 4)
# probe: list(span)

# %% part: slice
part = slice(1, None, 2)
# probe: [1, 2, 3, 4][part]

# %% dots: ellipsis
dots = ...
# probe: dots is ...

# %% sentinel: object
sentinel = object()
holder = {"missing": sentinel}
# probe: holder["missing"] is sentinel


# %% area: function
def area(width, height=2, *, unit="m"):
    return f"{width * height} {unit}2"


# probe: area(3), area.__defaults__, area.__kwdefaults__

# %% square: function (lambda)
square = lambda x: x * x
# probe: square(7)


# %% count: function (closure with state)
def counter():
    n = 0

    def up():
        nonlocal n
        n += 1
        return n

    return up


count = counter()
count()
# probe: count()


# %% Point: type
class Point:
    seen = []

    def __init__(self, x, y):
        self.x, self.y = x, y
        Point.seen.append(x)


Point(1, 2)
# probe: Point.seen, Point(3, 4).y


# %% instance: Account
class Account:
    __slots__ = ("balance", "owner")

    def __init__(self, owner):
        self.owner, self.balance = owner, 0

    def pay(self, amount):
        self.balance += amount
        return self.balance


instance = Account("Ada")
instance.pay(5)
# probe: instance.owner, instance.pay(1)

# %% bound: method
bound = instance.pay
# probe: bound.__self__ is instance, bound(0)

# %% builtin: builtin_function_or_method
builtin = len
# probe: builtin([1, 2])

# %% steps: generator
steps = (n * n for n in range(10))
next(steps), next(steps)
# probe: next(steps), next(steps)


# %% walk: generator (of a function)
def walking():
    where = 0
    while True:
        jump = yield where
        where += jump or 1


walk = walking()
next(walk), walk.send(5)
# probe: next(walk), walk.send(3)


# %% promise: coroutine
async def promised():
    return 7


promise = promised()
# probe: promise.cr_frame is not None, promise.close()

# %% half: list_iterator
half = iter([1, 2, 3])
next(half)
# probe: list(half)

# %% paired: zip
paired = zip("abc", [1, 2, 3])
next(paired)
# probe: list(paired)

# %% numbered: enumerate
numbered = enumerate("abc", start=5)
next(numbered)
# probe: list(numbered)

# %% mapped: map
mapped = map(str.upper, ["a", "b", "c"])
next(mapped)
# probe: list(mapped)

# %% filtered: filter
filtered = filter(None, [0, 1, 2, 0, 3])
next(filtered)
# probe: list(filtered)

# %% keys: dict_keys
keys = table.keys()
# probe: list(keys), table.update(new=1) or len(keys)

# %% proxy: mappingproxy
proxy = types.MappingProxyType({"a": 1})
# probe: dict(proxy)

# %% bag: types.SimpleNamespace
bag = types.SimpleNamespace(a=1, b=[2])
# probe: bag.a, bag.b

# %% module: module
module = types.ModuleType("settings")
module.level = 3
# probe: module.level, module.__name__

# %% failure: ValueError
try:
    int("x")
except ValueError as error:
    failure = error
# probe: failure.args

# %% caused: KeyError (raised from another)
try:
    raise KeyError("outer") from failure
except KeyError as error:
    caused = error
# probe: caused.args, caused.__cause__ is failure, caused.__suppress_context__

# %% generic: types.GenericAlias
generic = list[int]
# probe: generic.__origin__ is list, generic.__args__ == (int,)

# %% code: code
code = compile("40 + 2", "<text>", "eval")
# probe: eval(code)
