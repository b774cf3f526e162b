"""Puts the package, written from the checkout, which is the only copy of the code, into what is built."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))  # hatchling runs this file by its path

from package_writer import PACKAGE, write_package

HERE = Path(__file__).parent


class PackageHook(BuildHookInterface):
    """Of sdists and of wheels, which are made of a checkout or of an sdist."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the package; in an unpacked sdist it is there, and is found by its name."""
        self.folder: Path | None = None
        if not (HERE / PACKAGE).is_dir():
            self.folder = Path(tempfile.mkdtemp())
            write_package(HERE.parents[1], self.folder / PACKAGE, self.metadata.version)
            build_data["force_include"][str(self.folder / PACKAGE)] = PACKAGE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind."""
        if self.folder is not None:
            shutil.rmtree(self.folder)
