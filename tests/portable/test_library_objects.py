"""Objects of libraries whose own pickle loses something: they come back as users go on using them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nbdag.portable.digest import digest
from nbdag.portable.encode import Unstorable
from nbdag.portable.fingerprint import fingerprint
from tests.portable.session import Session

# ------------------------------------------------------------------------------------------------ Pillow

IMAGES = """
from PIL import Image, ImageDraw, PngImagePlugin
text = PngImagePlugin.PngInfo()
text.add_text("Author", "me")
Image.new("RGB", (4, 4), (1, 2, 3)).save(folder + "/a.png", pnginfo=text)
films = [Image.new("L", (8, 8), shade) for shade in (0, 50, 100, 150)]
films[0].save(folder + "/a.gif", save_all=True, append_images=films[1:])
"""


@pytest.fixture
def images(tmp_path: Path) -> Session:
    pytest.importorskip("PIL")
    session = Session()
    session.namespace["folder"] = str(tmp_path)
    return session.run(IMAGES)


@pytest.mark.parametrize("file", ["there", "gone"])
def test_an_image_that_was_opened_keeps_what_its_plugin_read(images: Session, tmp_path: Path, file: str) -> None:
    images.run("x = Image.open(folder + '/a.png')", "y = Image.open(folder + '/a.png'); y.load()")
    index = images.encode(tmp_path, "x y")
    if file == "gone":
        (tmp_path / "a.png").unlink()
    after = load(index, tmp_path)
    for name in ("x", "y"):
        assert (after[name].format, after[name].text, after[name].size) == ("PNG", {"Author": "me"}, (4, 4))
        assert after[name].filename.endswith("a.png") and after[name].getpixel((3, 3)) == (1, 2, 3)


@pytest.mark.parametrize("file", ["there", "gone"])
def test_a_film_goes_on(images: Session, tmp_path: Path, file: str) -> None:
    images.run("x = Image.open(folder + '/a.gif'); x.seek(2); x.load()")
    index = images.encode(tmp_path, "x")
    if file == "gone":
        (tmp_path / "a.gif").unlink()
    film = load(index, tmp_path)["x"]
    assert (film.n_frames, film.tell(), film.convert("L").getpixel((0, 0))) == (4, 2, 100)
    for frame in (3, 0):
        film.seek(frame)
        assert film.convert("L").getpixel((0, 0)) == 50 * frame


def test_nobody_decodes_an_image_by_looking_at_it(images: Session, tmp_path: Path) -> None:
    """``x.draft`` chooses how a photograph is decoded, and works only before."""
    images.run("Image.new('RGB', (64, 64), 'red').save(folder + '/a.jpg')", "x = Image.open(folder + '/a.jpg')")
    fingerprint(images["x"])
    digest(images["x"], images.namespace)
    after = images.move(tmp_path, "x")
    for one in (images["x"], after["x"]):
        one.draft("L", (16, 16))
        assert (one.mode, one.size) == ("L", (16, 16))


def test_changed_pixels_palettes_and_what_draws_into_an_image_are_kept(images: Session, tmp_path: Path) -> None:
    images.run(
        "x = Image.open(folder + '/a.png'); x.putpixel((0, 0), (9, 9, 9)); x.note = 'mine'",
        "p = Image.new('P', (2, 2)); p.putpalette([1, 2, 3, 4], 'RGBA')",
        "i = Image.new('RGB', (3, 3)); pen = ImageDraw.Draw(i, 'RGBA')",
    )
    after = images.move(tmp_path, "x p i pen")
    assert after["x"].getpixel((0, 0)) == (9, 9, 9) and after["x"].note == "mine"
    assert after["p"].convert("RGBA").getpixel((0, 0)) == (1, 2, 3, 4)
    after["pen"].point((1, 1), fill=(255, 0, 0, 128))
    assert after["i"].getpixel((1, 1)) == (128, 0, 0)


@pytest.mark.parametrize(
    ("cell", "look"),
    [
        ("x = Image.open(folder + '/a.tif'); x.tag_v2[270] = 'mine'", "x.tag_v2[270]"),
        ("x = Image.open(folder + '/a.jpg'); x.quantization[0][0] = 77", "x.quantization[0][0]"),
        ("x = Image.open(folder + '/a.webp'); x.note = 'mine'; x.getexif()[270] = 'me'", "x.note, x.getexif()[270]"),
        ("x = Image.open(folder + '/a.webp'); x.load(); x.putpixel((0, 0), (9, 9, 9))", "x.getpixel((0, 0)), x.format"),
        ("x = Image.open(io.BytesIO(open(folder + '/a.webp', 'rb').read()))", "x.getpixel((0, 0)), x.n_frames"),
    ],
)
def test_what_changed_of_an_image_since_it_was_opened_is_kept(
    images: Session, tmp_path: Path, cell: str, look: str
) -> None:
    pytest.importorskip("PIL.features")
    if "webp" in cell and not __import__("PIL.features").features.check("webp"):
        pytest.skip("this Pillow was built without WebP")
    kinds = "('tif', 'jpg', 'webp')" if "webp" in cell else "('tif', 'jpg')"
    images.run(f"import io\nfor kind in {kinds}: Image.new('RGB', (16, 16), 'red').save(folder + '/a.' + kind)", cell)
    after = images.move(tmp_path, "x")
    assert eval(look, after.namespace) == eval(look, images.namespace)
    assert digest(after["x"], after.namespace) == digest(images["x"], images.namespace)


def test_a_huge_file_stays_where_it_is(images: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbdag.portable.codecs.pictures.LARGEST_EMBEDDED", 10)
    images.run("x = Image.open(folder + '/a.gif'); x.seek(2)")
    index = images.encode(tmp_path, "x")
    assert load(index, tmp_path)["x"].convert("L").getpixel((0, 0)) == 100
    (tmp_path / "a.gif").unlink()
    with pytest.raises(FileNotFoundError):
        load(index, tmp_path)


def test_saving_an_image_does_not_count_as_a_change(images: Session) -> None:
    images.run("x = Image.frombuffer('L', (2, 2), b'abcd', 'raw', 'L', 0, 1)")
    before = fingerprint(images["x"])
    images.run("x.save(folder + '/b.png')")
    assert fingerprint(images["x"]) == before
    images.run("x.putpixel((0, 0), 1)")
    assert fingerprint(images["x"]) != before


# ------------------------------------------------------------------------------------------------ markup

PAGE = "<html><!-- c --><div><p class='x y'>hi<b>you</b></p><p>yo</p></div></html>"


def test_a_tag_stays_part_of_its_document(tmp_path: Path) -> None:
    pytest.importorskip("bs4")
    session = Session().run(
        f"import bs4; soup = bs4.BeautifulSoup({PAGE!r}, 'html.parser'); tag = soup.p; text = tag.contents[0]"
    )
    after = session.move(tmp_path, "soup tag text")
    assert (
        after["tag"] is after["soup"].p and after["text"].parent is after["tag"] and after["tag"]["class"] == ["x", "y"]
    )
    after["tag"].decompose()
    after["soup"].div.append(after["soup"].new_tag("i"))
    assert str(after["soup"]) == "<html><!-- c --><div><p>yo</p><i></i></div></html>"


def test_a_document_of_thousands_of_tags_is_no_recursion(tmp_path: Path) -> None:
    pytest.importorskip("bs4")
    session = Session().run(
        "import bs4; soup = bs4.BeautifulSoup('<ul>' + ''.join(f'<li>{i}</li>' for i in range(3000)) + '</ul>', "
        "'html.parser')"
    )
    assert [li.text for li in session.move(tmp_path, "soup")["soup"].find_all("li")][2998:] == ["2998", "2999"]


def test_nodes_of_lxml_are_nodes_of_one_document(tmp_path: Path) -> None:
    trees = pytest.importorskip("lxml.etree")
    session = Session().run(
        "import lxml.etree as et, lxml.html",
        "r = et.fromstring('<!DOCTYPE r><r><a x=\"1\">t&amp;</a>tail<b><![CDATA[<x>]]></b></r>'); a = r[0]",
        "tree = et.ElementTree(r); page = lxml.html.fromstring('<p>hi<br>there <a href=\"/x\">l</a></p>')",
        "link = page.xpath('//a')[0]; cut = et.fromstring('<q><w/>tt</q>')[0]; cut.getparent().remove(cut)",
    )
    after = session.move(tmp_path, "r a tree page link cut")
    for name in ("r", "tree", "cut"):
        assert trees.tostring(after[name]) == trees.tostring(session[name])
    assert after["a"].getparent() is after["r"] and after["tree"].getroot() is after["r"]
    assert after["link"].getparent() is after["page"] and type(after["page"]) is type(session["page"])
    assert digest(after["a"], after.namespace) == digest(session["a"], session.namespace)
    session.run("page = lxml.html.fromstring('<a href=\"x\">y</a>', base_url='http://host/')")
    assert session.move(tmp_path, "page")["page"].base_url == "http://host/"
    after["a"].set("x", "2")
    assert b'x="2"' in trees.tostring(after["tree"])
    session.run("odd = lxml.html.fromstring('<div @click=\"x()\">y</div>')")
    with pytest.raises(Unstorable, match="XML cannot hold"):
        session.encode(tmp_path, "odd")


# ------------------------------------------------------------------------------------------------ databases

MAPPED = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker
class Base(DeclarativeBase): pass
class Grape(Base):
    __tablename__ = "grapes"
    id: Mapped[int] = mapped_column(primary_key=True)
    wines: Mapped[list["Wine"]] = relationship(back_populates="grape")
class Wine(Base):
    __tablename__ = "wines"
    id: Mapped[int] = mapped_column(primary_key=True)
    grape_id: Mapped[int] = mapped_column(sa.ForeignKey("grapes.id"))
    grape: Mapped[Grape] = relationship(back_populates="wines")
"""


@pytest.fixture
def mapped(tmp_path: Path) -> Session:
    pytest.importorskip("sqlalchemy")
    session = Session().run(MAPPED)
    session.namespace["url"] = f"sqlite:///{tmp_path}/wines.db"
    return session


def test_instances_of_mapped_classes_belong_to_the_classes_of_replay(mapped: Session, tmp_path: Path) -> None:
    mapped.run("w = Wine(id=3, grape=Grape(id=1)); q = sa.select(Wine).where(Wine.id == 3); t = Wine.__table__")
    after = mapped.move(tmp_path, "w q t Base Wine Grape", MAPPED, "Base Wine Grape")
    assert type(after["w"]) is after["Wine"] and after["w"].grape.wines[0] is after["w"]
    assert after["t"] is after["Wine"].__table__ is after["Base"].metadata.tables["wines"]
    assert str(after["q"]) == str(mapped["q"]) and after["q"].get_final_froms()[0] is after["t"]
    assert digest(after["q"], after.namespace) == digest(mapped["q"], mapped.namespace)


def test_a_session_of_the_orm_is_opened_again_with_its_objects(mapped: Session, tmp_path: Path) -> None:
    mapped.run(
        "@sa.event.listens_for(Session, 'before_commit')\ndef of_all(*a): pass",
        "e = sa.create_engine(url, pool_pre_ping=True, pool_use_lifo=True); Base.metadata.create_all(e)",
        "s = Session(e, expire_on_commit=False, autobegin=True, twophase=False, join_transaction_mode='rollback_only')",
        "w = Wine(id=3, grape=Grape(id=1)); s.add(w); s.commit()",
        "maker = sessionmaker(e)",
    )
    after = mapped.move(tmp_path, "e s w maker", MAPPED, "Base Wine Grape")
    assert after["w"] in after["s"] and after["s"].get(after["Wine"], 3) is after["w"] and not after["s"].dirty
    assert after["s"].join_transaction_mode == "rollback_only" and after["e"].pool._pool.use_lifo
    assert after["e"].pool._pre_ping and after["s"].bind is after["e"] and after["maker"]().bind is after["e"]
    after["w"].grape = after["Grape"](id=2)
    after["s"].commit()
    assert after["s"].scalars(after["sa"].select(after["Wine"].grape_id)).all() == [2]


def test_what_a_driver_does_not_tell_may_not_be_committed(mapped: Session, tmp_path: Path) -> None:
    """psycopg2's connections have no ``in_transaction``."""
    mapped.run("e = sa.create_engine(url); Base.metadata.create_all(e); s = Session(e)")
    mapped.run("s.execute(sa.select(Wine)); held = s.connection()")

    class Silent:
        dbapi_connection = object()

    assert mapped.encode(tmp_path, "s", "Base Wine Grape")
    mapped["held"]._dbapi_connection, driver = Silent, mapped["held"]._dbapi_connection
    try:
        with pytest.raises(Unstorable, match="not committed"):
            mapped.encode(tmp_path, "s", "Base Wine Grape")
    finally:
        mapped["held"]._dbapi_connection = driver


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("s = Session(e); s.add(Wine(id=5, grape_id=1))", "not committed"),
        ("s = Session(e); s.add(Wine(id=6, grape_id=1)); s.flush()", "not committed"),
        ("s = sa.create_engine('sqlite://')", "in memory"),
        ("s = sa.create_engine(url, json_serializer=repr)", "json_serializer"),
        ("s = e.execution_options(isolation_level='SERIALIZABLE')", "execution_options"),
        ("s = Session(e)\n@sa.event.listens_for(s, 'before_commit')\ndef f(*a): pass", "listeners"),
        ("s = sessionmaker(e)\n@sa.event.listens_for(s, 'before_commit')\ndef f(*a): pass", "listeners"),
        ("@sa.event.listens_for(e.pool, 'checkout')\ndef f(*a): pass\ns = e", "listeners"),
        ("@sa.event.listens_for(e, 'connect')\ndef f(*a): pass\ns = e", "listeners"),
    ],
)
def test_what_only_this_process_has_of_a_database_is_refused(
    mapped: Session, tmp_path: Path, cell: str, reason: str
) -> None:
    mapped.run("e = sa.create_engine(url); Base.metadata.create_all(e)", cell)
    with pytest.raises(Unstorable, match=reason):
        mapped.encode(tmp_path, "s", "Base Wine Grape")


def test_a_database_in_memory_comes_along(tmp_path: Path) -> None:
    session = Session().run(
        "import sqlite3; db = sqlite3.connect(':memory:', isolation_level=None); db.row_factory = sqlite3.Row",
        "db.execute('create table t (a integer primary key, b)'); db.execute('insert into t (b) values (?)', (b'x',))",
        "cursor = db.cursor()",
    )
    after = session.move(tmp_path, "db cursor")
    assert tuple(after["cursor"].execute("select * from t").fetchone()) == (1, b"x")
    assert after["cursor"].connection is after["db"] and after["db"].isolation_level is None
    after["db"].execute("insert into t (b) values (3)")
    assert after["db"].execute("select max(a) as m from t").fetchone()["m"] == 2


@pytest.mark.parametrize(
    "cell",
    [
        "db.execute('create table t (a)'); db.execute('insert into t values (1)')",  # a transaction that is open
        "db.create_function('twice', 1, lambda v: 2 * v)",
        "db = db.execute('select 1')",  # rows to come
    ],
)
def test_a_database_in_memory_that_is_more_than_its_content_is_refused(tmp_path: Path, cell: str) -> None:
    session = Session().run("import sqlite3; db = sqlite3.connect(':memory:')", cell)
    with pytest.raises(Unstorable):
        session.encode(tmp_path, "db")


# ------------------------------------------------------------------------------------------------ contexts, registries


def test_the_context_that_counts_stays_the_one_that_counts(tmp_path: Path) -> None:
    import decimal

    session = Session().run(
        "import decimal; now = decimal.getcontext(); now.prec = 11; other = decimal.Context(prec=3)"
    )
    with decimal.localcontext():
        session.namespace["now"] = decimal.getcontext()
        after = session.move(tmp_path, "now other")
        assert after["now"] is decimal.getcontext() and after["other"].prec == 3
        after["now"].prec = 4
        assert str(decimal.Decimal(1) / 3) == "0.3333"


def test_an_exception_keeps_what_it_came_from(tmp_path: Path) -> None:
    cell = (
        "class Wrong(ValueError):\n"
        "    def __init__(self, text, *, code): super().__init__(text); self.code = code; made.append(code)\n"
        "made = []"
    )
    session = Session().run(
        cell,
        "try:\n"
        "    try: raise Wrong('bad', code=7)\n"
        "    except Wrong as e: raise KeyError('outer') from e\n"
        "except KeyError as e: caught = e\n"
        "try:\n"
        "    try: 1 / 0\n"
        "    finally: open('/no/such/file')\n"
        "except OSError as e: other = e",
    )
    after = session.move(tmp_path, "caught other", cell, "Wrong")
    cause = after["caught"].__cause__
    assert type(cause) is after["Wrong"] and (cause.args, cause.code) == (("bad",), 7) and after["made"] == []
    assert after["caught"].__context__ is cause and after["caught"].__suppress_context__
    assert isinstance(after["other"].__context__, ZeroDivisionError) and after["other"].filename == "/no/such/file"
    before = digest(session["caught"], session.namespace)
    assert digest(after["caught"], after.namespace) == before
    after["caught"].__cause__ = None
    assert digest(after["caught"], after.namespace) != before


def test_a_class_that_its_module_has_under_another_name_is_found_there(tmp_path: Path) -> None:
    session = Session().run("import functools; f = functools.cache(abs); f(3); f(3); info = f.cache_info()")
    after = session.move(tmp_path, "info")["info"]
    assert after == session["info"] and type(after) is type(session["info"]) and after.hits == 1


def test_a_quantity_belongs_to_the_registry_of_the_session(tmp_path: Path) -> None:
    pytest.importorskip("pint")
    cell = "import pint; ur = pint.UnitRegistry(); ur.define('smoot = 1.7 * meter')"
    session = Session().run("_ = None", cell, "q = 2 * ur.smoot; u = ur.meter; _ = ur")
    after = session.move(tmp_path, "q u", cell)
    assert (after["q"] + 1 * after["u"]).to("cm").magnitude == pytest.approx(440)
    assert after["q"]._REGISTRY is after["ur"]


def load(index: dict[str, object], folder: Path) -> Session:
    """What a bundle of this index gives in a new session."""
    from nbdag.portable.decode import Loading
    from tests.portable.session import as_in_bundle

    target = Session()
    target.namespace.update(Loading(str(folder), target.namespace).load(as_in_bundle(index)))
    return target
