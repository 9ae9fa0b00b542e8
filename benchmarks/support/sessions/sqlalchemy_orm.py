# SQLAlchemy, mapped classes
# needs: SQLAlchemy
# %%
import sqlalchemy
import sqlalchemy.orm


# %% Base: DeclarativeAttributeIntercept (a mapped class)
class Base(sqlalchemy.orm.DeclarativeBase):
    pass


class Wine(Base):
    __tablename__ = "wines"
    id: sqlalchemy.orm.Mapped[int] = sqlalchemy.orm.mapped_column(primary_key=True)


# probe: sorted(Base.metadata.tables)

# %% bottle: Wine (an instance of a mapped class)
bottle = Wine(id=3)
# probe: bottle.id

# %% query: sqlalchemy.Select (of a mapped class)
query = sqlalchemy.select(Wine).where(Wine.id == 3)
# probe: str(query), query.get_final_froms()[0] is Wine.__table__

# %% session: sqlalchemy.orm.Session (over a file, with an object)
engine = sqlalchemy.create_engine("sqlite:///wines.db")
Base.metadata.create_all(engine)
session = sqlalchemy.orm.Session(engine, expire_on_commit=False)
syrah = Wine(id=4)
session.add(syrah)
session.commit()
# probe: syrah in session, session.get(Wine, 4) is syrah

# %% engine: sqlalchemy.engine.Engine (over a file)
# probe: str(engine.url).rsplit("/")[-1], engine.pool.size(), session.bind is engine
