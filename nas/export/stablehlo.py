"""Compile and run a portable StableHLO program, by JAX's extension interface alone.

The program is bytecode with its weights inside; nothing of the Python that wrote it is
needed, and any consumer of StableHLO can do the same.
"""

from collections.abc import Callable

import jax
import jax.extend.backend
import numpy as np

from nas.errors import UserError

_MAGIC = b"ML\xefR"


def compile_stablehlo(program: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a program of one input and one output for the first local device.

    Args:
      program: portable bytecode, the contents of `model.stablehlo`.

    Returns:
      A function from an array of exactly the program's shape and dtype to its output;
      it waits until the output is there.

    Raises:
      UserError: the bytes are no program, or one that this JAX is too old for.
    """
    if not program.startswith(_MAGIC):
        raise UserError(
            "This is no portable StableHLO bytecode: the file is damaged or another "
            "one. Export it again."
        )
    device = jax.local_devices()[0]
    client = jax.extend.backend.get_backend(device.platform)
    try:
        executable = client.compile_and_load(program, [device])
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        raise UserError(
            "This StableHLO program cannot be compiled; it is truncated, or written by "
            f"a JAX much newer than {jax.__version__}: {str(error)[:300]}"
        ) from error

    def run(x: np.ndarray) -> np.ndarray:
        (output,) = executable.execute([jax.device_put(x, device)])
        return np.asarray(output)

    return run
