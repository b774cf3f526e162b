"""Functions of the page's scripts, run by Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from seqpipe.export.web.page import STATIC

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="no Node here")


def in_node(module: str, expression: str, given: Any) -> Any:
    """What JavaScript of a module (``m``) gives for data (``given``)."""
    code = f"""
        import * as m from {json.dumps((STATIC / module).as_uri())};
        let text = "";
        for await (const chunk of process.stdin) text += chunk;
        const given = JSON.parse(text);
        console.log(JSON.stringify({expression}));
    """
    program = [str(NODE), "--no-warnings", "--experimental-default-type=module", "--input-type=module", "-e", code]
    done = subprocess.run(program, input=json.dumps(given), capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_alike(found: Any, wanted: Any, tolerance: float = 1e-4) -> None:
    """What the page says is what the runtime says, as far as it says it."""
    if isinstance(wanted, dict):
        for key in wanted.keys() & found.keys():
            assert_alike(found[key], wanted[key], tolerance)
    elif isinstance(wanted, list):
        assert len(found) >= len(wanted)  # of classes all
        for one, other in zip(found, wanted, strict=False):
            assert_alike(one, other, tolerance)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, abs=tolerance, rel=1e-4)
    else:
        assert found == wanted
