"""What this machine has for a run, and what is wrong with it."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import jax

from nas.runtime import compilation_cache

PACKAGES = ("nas", "search_spaces", "supernets", "predictors", "experiments")
LIBRARIES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "tensorboardX",
    "numpy",
    "flatbuffers",
    "safetensors",
)
_LOW_BYTES = 2e9


class Row(NamedTuple):
    """One finding.

    Attributes:
      name: what was looked at.
      value: what was found.
      ok: whether a run can do with it.
      hint: what to do if not; empty if it is fine.
    """

    name: str
    value: str
    ok: bool = True
    hint: str = ""


def examine(workdir: str | os.PathLike[str] = ".") -> list[Row]:
    """Look at everything that a run needs.

    Args:
      workdir: where runs would write; its disk is looked at.
    """
    parts: Iterable[Callable[[], list[Row]]] = (
        _python,
        _libraries,
        packages,
        _devices,
        _memory,
        _cache,
        lambda: [_disk(Path(workdir))],
    )
    return [row for part in parts for row in part()]


def packages(locate: Callable[[str], Path | None] | None = None) -> list[Row]:
    """Check that the five packages are those of one installation, this one.

    Their names are plain words, and another package or a folder on the path may come
    first. This only looks for files and imports nothing.

    Args:
      locate: the folder of a package by name, None if there is none.

    Returns:
      A row for each package; `ok` is False where it is somebody else's.
    """
    locate = locate or _locate
    ours = Path(__file__).resolve().parents[2]
    rows = []
    for name in PACKAGES:
        found = locate(name)
        if found is not None and found.resolve() == ours / name:
            rows.append(Row(f"package {name}", str(found)))
            continue
        rows.append(
            Row(
                f"package {name}",
                str(found or "missing"),
                False,
                f"Expected {ours / name}. Remove the other one from the Python path, "
                "or install this package in a virtual environment of its own.",
            )
        )
    return rows


def _locate(name: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or [])
    if spec.origin is None:
        # A folder without __init__.py: it gives way to any real package.
        return Path(places[0]) if places else None
    return Path(spec.origin).parent if places else Path(spec.origin)


def _python() -> list[Row]:
    new_enough = tuple(map(int, platform.python_version_tuple()[:2])) >= (3, 11)
    hint = "" if new_enough else "Use Python 3.11 or newer."
    return [
        Row("python", platform.python_version(), new_enough, hint),
        Row("system", platform.platform()),
    ]


def _libraries() -> list[Row]:
    rows = []
    for name in LIBRARIES:
        try:
            rows.append(Row(name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            hint = f"Install it: pip install {name}"
            rows.append(Row(name, "missing", False, hint))
    return rows


def _devices() -> list[Row]:
    try:
        devices = jax.devices()
    except RuntimeError as error:
        hint = "Check JAX_PLATFORMS, the driver, and which jaxlib is installed."
        return [Row("devices", str(error).splitlines()[0], False, hint)]
    kinds = sorted({f"{device.platform}: {device.device_kind}" for device in devices})
    rows = [Row("devices", f"{len(devices)} x {', '.join(kinds)}")]
    for device in devices:
        limit = (device.memory_stats() or {}).get("bytes_limit")
        if limit:
            rows.append(Row(f"memory of device {device.id}", _gigabytes(limit)))
    if devices[0].platform == "cpu" and shutil.which("nvidia-smi"):
        hint = 'There seems to be an NVIDIA GPU: pip install "jax[cuda13]"'
        rows.append(Row("accelerator", "not used", False, hint))
    return rows


def _memory() -> list[Row]:
    rows = [Row("cpu cores", str(os.cpu_count()))]
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        rows.append(Row("memory", _gigabytes(total)))
    except (ValueError, OSError):
        rows.append(Row("memory", "unknown"))
    return rows


def _cache() -> list[Row]:
    path = Path(
        os.environ.get(compilation_cache.ENVIRONMENT) or compilation_cache.default_dir()
    )
    place = _existing(path)
    if os.access(place, os.W_OK):
        return [Row("compilation cache", str(path))]
    hint = f"{place} cannot be written: set {compilation_cache.ENVIRONMENT}."
    return [Row("compilation cache", str(path), False, hint)]


def _disk(path: Path) -> Row:
    free = shutil.disk_usage(_existing(path)).free
    enough = free > _LOW_BYTES
    hint = "" if enough else "Checkpoints need room: free some, or use another disk."
    return Row(f"free disk at {path.absolute()}", _gigabytes(free), enough, hint)


def _existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    path = path.expanduser().absolute()
    while not path.exists():
        path = path.parent
    return path


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB"
