"""Options of libraries that statements set: which one, by the text."""

from __future__ import annotations

import ast


def option_in(code: str) -> str:
    """The option that a statement sets, the statement itself where that is not plain: two that give the same set one.

    plt.rcParams["font.size"] = 20     plt.rcParams['font.size']         pd.set_option("max_rows", 9)     ... 'max_rows'
    """
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError):
        return code.strip()
    node = body[0] if len(body) == 1 else None
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return ast.unparse(node.targets[0])
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2].startswith("set"):
        if len(call.args) == 2 and not call.keywords:
            return f"{ast.unparse(call.func)} {ast.unparse(call.args[0])}"
        if not call.args and len(call.keywords) == 1 and call.keywords[0].arg:
            return f"{ast.unparse(call.func)} {call.keywords[0].arg}"
    return code.strip()
