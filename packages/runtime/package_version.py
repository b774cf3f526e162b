"""The version of this distribution, which is seqpipe's."""

import ast
from pathlib import Path


def read_version() -> str:
    """Of the checkout that this folder lies in; of an unpacked sdist, the one that its own copy has."""
    here = Path(__file__).parent
    package = here / "seqpipe_runtime" / "__init__.py"
    path = package if package.is_file() else here.parents[1] / "seqpipe" / "__init__.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise ValueError(f"{path}: has no __version__")


__version__ = read_version()
