# Apache Arrow
# needs: pyarrow
# %%
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

# %% table: pyarrow.Table
table = pa.table({"n": [1, 2, None], "s": ["a", "b", "c"]})
# probe: table.to_pydict(), str(table.schema)

# %% numbers: pyarrow.Int64Array
numbers = pa.array([1, None, 3])
# probe: numbers.to_pylist(), numbers.null_count

# %% words: pyarrow.DictionaryArray
words = pa.array(["a", "b", "a"]).dictionary_encode()
# probe: words.to_pylist(), words.dictionary.to_pylist()

# %% pieces: pyarrow.ChunkedArray
pieces = pa.chunked_array([[1, 2], [3]])
# probe: pieces.to_pylist(), pieces.num_chunks

# %% batch: pyarrow.RecordBatch
batch = pa.record_batch({"x": [1.5, 2.5]})
# probe: batch.to_pydict()

# %% schema: pyarrow.Schema
schema = pa.schema([("n", pa.int32()), ("t", pa.timestamp("us", "UTC"))])
# probe: str(schema)

# %% memory: pyarrow.Buffer
memory = pa.py_buffer(b"abcdef")
# probe: memory.to_pybytes()

# %% one: pyarrow.StringScalar
one = pa.scalar("text")
# probe: one.as_py()

# %% condition: pyarrow.compute.Expression
condition = pyarrow.compute.field("n") > 1
# probe: table.filter(condition).to_pydict()

# %% parquet: pyarrow.parquet.ParquetFile
pyarrow.parquet.write_table(table, "t.parquet")
parquet = pyarrow.parquet.ParquetFile("t.parquet")
# probe: parquet.read().to_pydict()
