"""onnxruntime-web, the runtime of a page: one version, whose bytes are known, out of a package of npm."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from seqpipe.core.files import draft_file
from seqpipe.data.starter.build_once import cache_folder
from seqpipe.errors import ConfigError

NAME, VERSION = "onnxruntime-web", "1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Of the package, as npm's registry gives it."""
FILES = {
    "ort.js": (
        "dist/ort.wasm.bundle.min.mjs",
        "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    ),
    "ort.wasm": (
        "dist/ort-wasm-simd-threaded.wasm",
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    ),
}
"""What a page needs, by its name there: the file of the package, and its SHA-256. Ending in ``.js``, since many static
hosts know no type for ``.mjs``, and browsers run no module without one."""
OPTION = "--onnxruntime-web"


def find_onnxruntime_web(given: str | Path | None = None) -> dict[str, bytes]:
    """Contents by the names of `FILES`.

    Args:
        given: a package, as ``npm pack`` gives it, or a folder of one that is unpacked; when None, the package that is
            in the cache, or, with npm, the one of its registry, which then is kept in the cache.

    Raises:
        ConfigError: there is none, or it isn't of this version.
    """
    if given is not None:
        path = Path(given)
        if path.is_dir():
            return _of_folder(path)
        if path.is_file():
            return _of_package(path.read_bytes(), str(path))
        raise ConfigError(f"{OPTION} {path}: there is no such file or folder; {_advice()}")
    cached = cache_folder() / NAME / f"{NAME}-{VERSION}.tgz"
    if not cached.is_file():
        content = _packed()
        found = _of_package(content, f"what npm gives as {NAME}@{VERSION}")
        cached.parent.mkdir(parents=True, exist_ok=True)
        with draft_file(cached) as file:
            file.write(content)
        return found
    return _of_package(cached.read_bytes(), str(cached))


def _advice() -> str:
    return (
        f"on a machine with npm, `npm pack {NAME}@{VERSION}` writes {NAME}-{VERSION}.tgz; name that file with {OPTION}"
    )


def _packed() -> bytes:
    """The package of npm's registry, by npm, which knows of mirrors and proxies."""
    npm = shutil.which("npm")
    if npm is None:
        raise ConfigError(f"a page for browsers needs {NAME} {VERSION}, and there is no npm here: {_advice()}")
    with tempfile.TemporaryDirectory() as folder:
        program = [npm, "pack", f"{NAME}@{VERSION}", "--ignore-scripts", "--silent", "--pack-destination", folder]
        done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=folder)
        packages = list(Path(folder).glob("*.tgz"))
        if done.returncode or not packages:
            said = (done.stderr or done.stdout).strip().splitlines()
            reason = said[0] if said else f"it ended with {done.returncode}"
            raise ConfigError(f"npm can't fetch {NAME} {VERSION} ({reason}): {_advice()}")
        return packages[0].read_bytes()


def _of_package(content: bytes, name: str) -> dict[str, bytes]:
    digest = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if digest != INTEGRITY:
        raise ConfigError(
            f"{name}: isn't the package {NAME} {VERSION} (its digest is {digest[:20]}…, not {INTEGRITY[:20]}…): "
            f"remove it; {_advice()}"
        )
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = {name: archive.extractfile(f"package/{path}") for name, (path, _) in FILES.items()}
        return {name: member.read() for name, member in members.items() if member is not None}


def _of_folder(folder: Path) -> dict[str, bytes]:
    """Of an unpacked package: ``package``, or ``node_modules/onnxruntime-web``."""
    found = {}
    for name, (path, digest) in FILES.items():
        if not (folder / path).is_file():
            raise ConfigError(f"{OPTION} {folder}: holds no {path}; {_advice()}")
        found[name] = (folder / path).read_bytes()
        if hashlib.sha256(found[name]).hexdigest() != digest:
            raise ConfigError(f"{folder / path}: isn't that of {NAME} {VERSION}; {_advice()}")
    return found
