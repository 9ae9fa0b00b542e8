"""ENVIRONMENT: working directory, environment variables, search path: read or changed."""

from nbdag.analysis.effects.rules import RuleSet
from nbdag.model.facts import EffectKind

RULES = RuleSet(
    kind=EffectKind.ENVIRONMENT,
    calls="""
        os.chdir os.fchdir os.putenv os.unsetenv os.umask os.getcwd os.getcwdb os.getenv os.path.abspath
        os.path.expanduser os.path.expandvars os.path.realpath os.environ.update os.environ.setdefault
        os.environ.pop os.environ.clear os.environ.get os.environ.copy os.environ.items os.environ.keys
        os.getlogin os.uname platform.* pathlib.Path.cwd pathlib.Path.home pathlib.Path.resolve pathlib.Path.absolute
        sys.path.append sys.path.insert sys.path.extend sys.path.remove site.addsitedir dotenv.load_dotenv
        contextlib.chdir sys.modules.pop
    """,
    reads="os.environ sys.path sys.argv sys.executable sys.version sys.version_info sys.platform",
    stores="os.environ sys.path sys.argv sys.modules sys.meta_path",
    not_calls="platform.node",
)
