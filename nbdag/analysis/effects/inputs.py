"""INPUT: what asks the user and waits."""

from nbdag.analysis.effects.rules import RuleSet
from nbdag.model.facts import EffectKind

RULES = RuleSet(
    kind=EffectKind.INPUT,
    calls="""
        builtins.input builtins.raw_input getpass.getpass builtins.breakpoint pdb.set_trace pdb.pm pdb.post_mortem
        sys.stdin.read sys.stdin.readline sys.stdin.readlines click.prompt click.confirm IPython.embed code.interact
        matplotlib.pyplot.ginput matplotlib.pyplot.waitforbuttonpress tkinter.filedialog.askopenfilename
        google.colab.files.upload
    """,
)
