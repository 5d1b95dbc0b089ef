"""Builds the Lambda's and the Glue job's bundles from the installed packages, byte for byte the same every time."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from ndjctl.contracts import FUNCTION_ZIP, GLUE_LIBRARY, GLUE_SCRIPT

# Zip cannot tell times before 1980; one fixed time keeps the bytes a function of the sources alone.
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Bundle:
    """Files to upload, by name. digest: hex SHA-256 over names and bytes; the same sources give the same digest."""

    files: dict[str, bytes]

    @property
    def digest(self) -> str:
        total = hashlib.sha256()
        for name in sorted(self.files):
            total.update(f"{name}\0{len(self.files[name])}\0".encode())
            total.update(self.files[name])
        return total.hexdigest()

    @property
    def index(self) -> BundleIndex:
        return BundleIndex(self.digest, {name: hashlib.sha256(body).hexdigest() for name, body in self.files.items()})


@dataclass(frozen=True)
class BundleIndex:
    """What a bundle holds, without the bytes. digest: that of the bundle. sha256: name of a file -> hex SHA-256."""

    digest: str
    sha256: dict[str, str]


@dataclass(frozen=True)
class Code:
    """Which code an environment runs: the function's bundle and the job's."""

    function: BundleIndex
    job: BundleIndex


def lambda_bundle() -> Bundle:
    """One file, function.zip: the handler's package and the contracts."""
    return Bundle({FUNCTION_ZIP: _zip(_sources("lambda_handler") | _shared_sources())})


def glue_bundle() -> Bundle:
    """The job's script, and beside it the library zip that --extra-py-files names."""
    sources = _sources("glue_job")
    script = sources.pop(f"glue_job/{GLUE_SCRIPT}")
    return Bundle({GLUE_SCRIPT: script, GLUE_LIBRARY: _zip(sources | _shared_sources())})


def _shared_sources() -> dict[str, bytes]:
    """The contracts, and the package they are in: nothing else of the tool travels."""
    place = resources.files("ndjctl")
    found = {"ndjctl/__init__.py": place.joinpath("__init__.py").read_bytes()}
    _collect(place.joinpath("contracts"), "ndjctl/contracts", found)
    return found


def _sources(package: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    _collect(resources.files(package), package, found)
    return found


def _collect(place: Traversable, path: str, found: dict[str, bytes]) -> None:
    for entry in place.iterdir():
        inner = f"{path}/{entry.name}"
        if entry.is_dir() and entry.name != "__pycache__":
            _collect(entry, inner, found)
        elif entry.name.endswith(".py"):
            found[inner] = entry.read_bytes()


def _zip(files: dict[str, bytes]) -> bytes:
    """Stored, not deflated: builds of zlib differ in what they make of the same input, and the bundles are small."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, date_time=_EPOCH)
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, files[name])
    return buffer.getvalue()
