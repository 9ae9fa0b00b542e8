# Polars
# needs: polars
# %%
import datetime

import polars as pl

# %% frame: polars.DataFrame
frame = pl.DataFrame({"n": [1, 2, 3], "s": ["a", None, "c"], "d": [datetime.date(2024, 1, 1)] * 3})
# probe: frame.to_dicts(), [str(t) for t in frame.dtypes]

# %% column: polars.Series
column = pl.Series("x", [1.5, None])
# probe: column.to_list(), column.name

# %% lazy: polars.LazyFrame
lazy = frame.lazy().filter(pl.col("n") > 1).select("n")
# probe: lazy.collect().to_dicts()

# %% expression: polars.Expr
expression = pl.col("n") * 2 + 1
# probe: frame.select(expression)["n"].to_list()

# %% kind: polars.Categorical
kind = pl.Categorical()
# probe: kind == pl.Categorical()

# %% schema: polars.Schema
schema = frame.schema
# probe: list(schema)
