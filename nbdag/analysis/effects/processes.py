"""PROCESS: other programs that a statement starts, and code that runs at the same time."""

from nbdag.analysis.effects.rules import RuleSet
from nbdag.model.facts import EffectKind

RULES = RuleSet(
    kind=EffectKind.PROCESS,
    calls="""
        subprocess.* os.system os.popen os.spawnl os.spawnv os.execv os.execvp os.execl os.fork os.forkpty os.kill
        os.startfile posix.system pty.spawn
        multiprocessing.Process multiprocessing.Pool multiprocessing.pool.Pool multiprocessing.pool.ThreadPool
        multiprocessing.Manager concurrent.futures.ProcessPoolExecutor concurrent.futures.ThreadPoolExecutor
        threading.Thread threading.Timer asyncio.create_task asyncio.ensure_future
        asyncio.create_subprocess_shell asyncio.create_subprocess_exec webbrowser.open ray.init dask.distributed.Client
        pexpect.spawn pexpect.run sh.* joblib.Parallel
    """,
    not_calls="""
        subprocess.CalledProcessError subprocess.TimeoutExpired subprocess.SubprocessError subprocess.list2cmdline
    """,
)
