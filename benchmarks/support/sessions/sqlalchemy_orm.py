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
