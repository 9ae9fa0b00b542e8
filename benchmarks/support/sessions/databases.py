# SQLAlchemy and DuckDB
# needs: SQLAlchemy duckdb
# %%
import duckdb
import sqlalchemy
import sqlalchemy.orm

# %% engine: sqlalchemy.engine.Engine
engine = sqlalchemy.create_engine("sqlite:///shop.db")
# probe: engine.dialect.name, str(engine.url)

# %% schema: sqlalchemy.MetaData
schema = sqlalchemy.MetaData()
# probe: sorted(schema.tables)

# %% table: sqlalchemy.Table
table = sqlalchemy.Table("wine", schema, sqlalchemy.Column("name", sqlalchemy.String))
# probe: [c.name for c in table.columns], table.metadata is schema

# %% query: sqlalchemy.Select
query = sqlalchemy.select(table.c.name).where(table.c.name == "a")
# probe: str(query)


# %% session: sqlalchemy.orm.Session
session = sqlalchemy.orm.Session(engine)
# probe: session.execute(sqlalchemy.text("select 1")).scalar()

# %% url: sqlalchemy.engine.URL
url = sqlalchemy.make_url("postgresql://host/base")
# probe: url.host, url.database

# %% duck: duckdb.DuckDBPyConnection (in memory)
duck = duckdb.connect()
duck.execute("create table t as select * from (values (1, 'a'), (2, 'b')) v(n, s)")
# probe: duck.execute("select * from t order by n").fetchall()

# %% relation: duckdb.DuckDBPyRelation
relation = duck.sql("select n * 2 as m from t order by n")
# probe: relation.fetchall()
