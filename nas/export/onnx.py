"""Convert an exported subnet to ONNX: `python -m nas.export.onnx SUBNET_DIR`.

jax2onnx needs an older Orbax than this package, so it lives in an environment of its
own, made at first use and kept. What onnxruntime answers there is compared here with
what the exported program answers, and refused beyond the tolerance of the export.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nas.data import read_preprocessing
from nas.errors import UserError
from nas.export import onnx_convert
from nas.export.architecture import ARCHITECTURE
from nas.export.errors import ExportError
from nas.export.load import PARITY, find_subnet, sha256
from nas.export.parity import compare, require_parity
from nas.export.programs import load_batched
from nas.export.subnet import JAX_EXPORT
from nas.runtime.workdir import write_json_atomic

ONNX = "model.onnx"
REQUIREMENTS = (
    "flax==0.12.8",
    "jax==0.10.2",
    "jax2onnx==0.17.1",
    "numpy>=2.4",
    "onnxruntime>=1.31",
    "pillow>=13.0",
    "safetensors>=0.8",
)
_NUM_SAMPLES = 16
_COMPLETE = ".complete"


def convert_to_onnx(path: str | os.PathLike[str]) -> Path:
    """Write `model.onnx` into a subnet's folder, and its parity into `parity.json`.

    Args:
      path: a folder `subnets/<id>`.

    Returns:
      The model: from `images`, uint8 [b, H, W, C], or `tokens`, int32 [b, T], to
      `logits`, float32. Where any batch size cannot be had, b is 1; `parity.json` says
      so under `onnx`.

    Raises:
      UserError: the folder is no subnet, or the environment cannot be made.
      ExportError: it cannot be converted, or computes other logits.
    """
    folder = find_subnet(path)
    parity = json.loads((folder / PARITY).read_text("utf-8"))
    inputs = _samples(json.loads((folder / ARCHITECTURE).read_text("utf-8")))
    program = load_batched((folder / JAX_EXPORT).read_bytes())
    reference = np.asarray(program(inputs))
    with tempfile.TemporaryDirectory() as name:
        output = Path(name)
        facts = _convert(folder, inputs, output)
        found = np.load(output / "logits.npy", allow_pickle=False)
        check = compare("onnx_vs_jax_export", found, reference)
        require_parity([check], parity["tolerance"], f"{folder}: {ONNX}")
        model = (output / ONNX).read_bytes()
    parity["checks"][check.name] = check.to_json()
    parity["sha256"][ONNX] = sha256(model)
    parity["onnx"] = facts
    # A model without its parity is worse than a parity without its model.
    partial = folder / f".{ONNX}.partial"
    partial.write_bytes(model)
    write_json_atomic(folder / PARITY, parity)
    return partial.replace(folder / ONNX)


def environment_dir() -> Path:
    """Return where the environment is kept: one for each set of requirements."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    text = "\n".join((*REQUIREMENTS, sys.version))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    return Path(base) / "nas" / "onnx" / digest


def ensure_environment() -> Path:
    """Make the environment unless it is there, and return its interpreter.

    Raises:
      UserError: no environment can be made, or a package cannot be had.
    """
    folder = environment_dir()
    python = folder / "bin" / "python"
    with _lock(folder.with_suffix(".lock")):
        if (folder / _COMPLETE).exists():
            return python
        print(f"Making an environment for ONNX in {folder} (once) ..", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        _make([sys.executable, "-m", "venv", str(folder)], "venv")
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        _make([*pip, "--disable-pip-version-check", *REQUIREMENTS], "pip")
        (folder / _COMPLETE).touch()
    return python


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert the folder given on the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m nas.export.onnx",
        description="Write model.onnx into the folder of an exported subnet.",
    )
    parser.add_argument("subnet", help="a folder subnets/<id>")
    path = parser.parse_args(arguments).subnet
    try:
        model = convert_to_onnx(path)
    except (UserError, ExportError) as error:
        print(f"nas: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1
    parity = json.loads((model.parent / PARITY).read_text("utf-8"))
    relative = parity["checks"]["onnx_vs_jax_export"]["relative"]
    batch = parity["onnx"]["batch"]
    print(f"{model}: batch {batch}, relative difference {relative:.2g}")
    return 0


def _samples(description: dict[str, Any]) -> np.ndarray:
    """Draw raw inputs at random."""
    accepts = description["input"]
    preprocessing = read_preprocessing(accepts["kind"], description["preprocessing"])
    shape = (_NUM_SAMPLES, *accepts["shape"])
    rng = np.random.default_rng(0)
    return rng.integers(0, preprocessing.num_values, shape, accepts["dtype"])


def _convert(folder: Path, inputs: np.ndarray, output: Path) -> dict[str, Any]:
    """Run the converter; it leaves the model and onnxruntime's logits in `output`."""
    np.save(output / "inputs.npy", inputs, allow_pickle=False)
    script = Path(onnx_convert.__file__)
    command = [str(ensure_environment()), "-I", str(script), str(script.parents[2])]
    command += [str(folder.resolve()), str(output / "inputs.npy"), str(output)]
    done = subprocess.run(
        command,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == onnx_convert.UNUSABLE:
        raise UserError(done.stderr.strip().rpartition("\n")[2])
    if done.returncode:
        raise ExportError(
            f"{folder} could not be converted to ONNX:\n{_tail(done.stderr)}"
        )
    return json.loads((output / "facts.json").read_text("utf-8"))


def _make(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(
            f"The environment for ONNX could not be made: {what} failed.\n"
            f"{_tail(done.stderr or done.stdout)}\nIt needs Python's venv module and "
            "pip with access to a package index. Run the same command again."
        )


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-6:])


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Let one process at a time make the environment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
