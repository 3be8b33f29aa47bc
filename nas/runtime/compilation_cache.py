"""Compiled programs are kept between runs, so that the second start is quick."""

import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path

import jax

ENVIRONMENT = "JAX_COMPILATION_CACHE_DIR"


def default_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Return where the cache is when nobody says otherwise.

    The last part names the processor: a home folder may be shared by machines, and
    XLA's programs for a CPU use the instructions of the one that compiled them.

    Args:
      environ: read instead of `os.environ`.
    """
    environ = os.environ if environ is None else environ
    base = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "nas" / "compiled" / _processor()


def enable(enabled: bool = True, directory: Path | None = None) -> Path | None:
    """Turn on JAX's compilation cache for this process.

    Call it before the first compilation. `JAX_COMPILATION_CACHE_DIR` wins over the
    default. A folder that cannot be written means no cache, and no error: the run is
    slower to start and otherwise the same.

    Args:
      enabled: False turns it off.
      directory: where to put it, instead of the variable and of the default.

    Returns:
      The folder in use, or None.
    """
    jax.config.update("jax_enable_compilation_cache", enabled)
    if not enabled:
        return None
    given = directory or os.environ.get(ENVIRONMENT) or default_dir()
    path = Path(given).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(path, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(path))
    # JAX keeps only programs that took over a second; ours are many and small.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return path


def _processor() -> str:
    """Name this kind of processor: architecture and a digest of its features."""
    lines: list[str] = []
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = [x for x in file if x.startswith(("flags", "Features"))][:1]
    except OSError:
        lines = [platform.processor()]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()[:8]
    return f"{platform.machine()}-{digest}"
