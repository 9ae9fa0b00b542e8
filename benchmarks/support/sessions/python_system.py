# Python's standard library: files, threads, processes, databases.
# needs: python
# %%
import asyncio
import concurrent.futures
import configparser
import contextlib
import gzip
import multiprocessing
import pathlib
import selectors
import socket
import sqlite3
import subprocess
import tarfile
import tempfile
import threading
import zipfile

pathlib.Path("lines.txt").write_text("one\ntwo\nthree\n")
with zipfile.ZipFile("lines.zip", "w") as _made:
    _made.write("lines.txt")
with gzip.open("lines.gz", "wt") as _made:
    _made.write("one\ntwo\n")

# %% lines: _io.TextIOWrapper (read)
lines = open("lines.txt")
lines.readline()
# probe: lines.readline(), lines.tell()

# %% binary: _io.BufferedReader
binary = open("lines.txt", "rb")
binary.read(4)
# probe: binary.read(3)

# %% written: _io.TextIOWrapper (write)
written = open("out.txt", "w")
written.write("abc")
written.flush()
# probe: pathlib.Path(written.name).name, written.mode, written.tell()

# %% closed: _io.TextIOWrapper (closed)
closed = open("lines.txt")
closed.close()
# probe: closed.closed, closed.name

# %% zipped: zipfile.ZipFile
zipped = zipfile.ZipFile("lines.zip")
# probe: zipped.namelist(), zipped.read("lines.txt")

# %% squeezed: gzip.GzipFile
squeezed = gzip.open("lines.gz")
squeezed.readline()
# probe: squeezed.readline()

# %% folder: tempfile.TemporaryDirectory
folder = tempfile.TemporaryDirectory()
# probe: type(folder).__name__

# %% lock: _thread.lock
lock = threading.Lock()
# probe: lock.acquire(False), lock.release()

# %% held: _thread.lock (held)
held = threading.Lock()
held.acquire()
# probe: held.locked()

# %% again: _thread.RLock
again = threading.RLock()
# probe: again.acquire(False)

# %% event: threading.Event
event = threading.Event()
event.set()
# probe: event.is_set()

# %% gate: threading.Semaphore
gate = threading.Semaphore(2)
gate.acquire()
# probe: gate.acquire(blocking=False), gate.acquire(blocking=False)

# %% ready: threading.Condition
ready = threading.Condition()
# probe: ready.acquire()

# %% local: _thread._local
local = threading.local()
local.n = 3
# probe: local.n

# %% thread: threading.Thread (finished)
done_in_thread = []
thread = threading.Thread(target=done_in_thread.append, args=(1,))
thread.start()
thread.join()
# probe: thread.is_alive(), done_in_thread

# %% pool: concurrent.futures.thread.ThreadPoolExecutor
pool = concurrent.futures.ThreadPoolExecutor(max_workers=2)
# probe: pool.submit(len, "abc").result()

# %% future: concurrent.futures._base.Future
future = pool.submit(len, "abcd")
future.result()
# probe: future.result(timeout=5)

# %% workers: multiprocessing.pool.Pool
workers = multiprocessing.Pool(1)
# probe: workers.map(len, ["a", "bc"])
# probe: workers.terminate()

# %% shared: multiprocessing.sharedctypes.Synchronized
shared = multiprocessing.Value("i", 5)
# probe: shared.value

# %% awaited: asyncio.locks.Lock
awaited = asyncio.Lock()
# probe: awaited.locked()

# %% incoming: asyncio.queues.Queue
incoming = asyncio.Queue()
incoming.put_nowait(3)
# probe: incoming.get_nowait()

# %% loop: asyncio.unix_events._UnixSelectorEventLoop
loop = asyncio.new_event_loop()
# probe: loop.run_until_complete(asyncio.sleep(0, "slept")) if not asyncio._get_running_loop() else "slept"

# %% memory: sqlite3.Connection (in memory)
memory = sqlite3.connect(":memory:")
memory.execute("create table wine (name text, year int)")
memory.execute("insert into wine values ('Barolo', 2016), ('Rioja', 2018)")
# probe: memory.execute("select * from wine order by year").fetchall()

# %% cursor: sqlite3.Cursor
cursor = memory.execute("select name from wine order by year")
cursor.fetchone()
# probe: cursor.fetchone()

# %% stored: sqlite3.Connection (a file)
stored = sqlite3.connect("wine.db")
# probe: stored.execute("select 1 + 1").fetchone()

# %% ini: configparser.ConfigParser
ini = configparser.ConfigParser()
ini.read_string("[a]\nx = 1\n")
# probe: ini["a"]["x"], ini.sections()

# %% stack: contextlib.ExitStack
stack = contextlib.ExitStack()
# probe: stack.close()

# %% plug: socket.socket
plug = socket.socket()
# probe: plug.family.name

# %% selector: selectors.EpollSelector
selector = selectors.DefaultSelector()
# probe: len(selector.get_map())

# %% child: subprocess.Popen (finished)
child = subprocess.Popen(["true"])
child.wait()
# probe: child.returncode

# %% outcome: subprocess.CompletedProcess
outcome = subprocess.run(["echo", "abc"], capture_output=True, text=True)
# probe: outcome.stdout, outcome.returncode

# %% entry: tarfile.TarInfo
entry = tarfile.TarInfo("a.txt")
entry.size = 5
# probe: entry.name, entry.size
