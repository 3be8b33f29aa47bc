"""Convert a subnet inside the environment that has jax2onnx; run by its file name.

That environment has its own JAX and Flax, and not all that the engine imports. So the
packages are mounted by hand: what is imported here is the reading of a subnet alone.
"""

import argparse
import importlib.util
import json
import sys
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any

UNUSABLE = 2


def mount(packages: Path) -> None:
    """Make our packages importable, without their neighbours.

    Their folder is not put on the path: it may be a `site-packages` whose other
    contents are of other versions than this environment's.

    Args:
      packages: the folder that holds `nas`, `supernets` and `search_spaces`.
    """
    for name in ("search_spaces", "supernets"):
        folder = packages / name
        spec = importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"{folder} is no package")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    for name in ("nas", "nas.export"):
        # Their `__init__` would import the whole engine.
        package = types.ModuleType(name)
        package.__path__ = [str(packages.joinpath(*name.split(".")))]
        sys.modules[name] = package


def convert(subnet: Any, batch: str | int) -> bytes:
    """Convert a subnet with its preprocessing.

    Args:
      subnet: from `load_subnet`.
      batch: the batch size, or a name if it may be any.

    Returns:
      An ONNX model from `images`, uint8 [batch, H, W, C], or `tokens`, int32
      [batch, T], to `logits`.
    """
    import jax
    import jax.export
    import jax2onnx  # pyright: ignore[reportMissingImports]  (not in ours)

    from nas.export.onnx_lowering import rewrite
    from nas.export.programs import make_program

    size = jax.export.symbolic_shape(batch)[0] if isinstance(batch, str) else batch
    accepts = subnet.description.input
    spec = jax.ShapeDtypeStruct((size, *accepts.shape), accepts.dtype)
    program = rewrite(make_program(subnet.module, subnet.preprocessing), spec)
    model = jax2onnx.to_onnx(
        program,
        [spec],
        model_name=f"subnet_{subnet.description.id}",
        input_names=[subnet.preprocessing.kind.INPUT_NAME],
        output_names=["logits"],
    )
    return model.SerializeToString()


def run(model: bytes, inputs: Any, batch: str | int) -> Any:
    """Run a model by onnxruntime: all inputs at once, or one after another."""
    import numpy as np
    import onnxruntime  # pyright: ignore[reportMissingImports]  (not in ours)

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    step = len(inputs) if isinstance(batch, str) else batch
    parts = [inputs[i : i + step] for i in range(0, len(inputs), step)]
    if isinstance(batch, str):
        parts = [inputs[:1], inputs[1:]]  # two sizes: a fixed one would fail
    return np.concatenate([session.run(None, {name: x})[0] for x in parts])


def main() -> int:
    """Write `model.onnx`, onnxruntime's logits, and what the model takes."""
    parser = argparse.ArgumentParser()
    for name in ("packages", "subnet", "inputs", "output"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    mount(arguments.packages)

    import numpy as np

    from nas.export.load import load_subnet

    try:
        subnet = load_subnet(arguments.subnet)
    except ValueError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    inputs = np.load(arguments.inputs, allow_pickle=False)
    attempts: list[str] = []
    for batch in ("b", 1):
        try:
            model = convert(subnet, batch)
            logits = run(model, inputs, batch)
            break
        except Exception as error:  # the converter's and the runtime's own kinds
            attempts.append(f"batch {batch}: {type(error).__name__}: {error!s:.300}")
    else:
        print("\n".join(attempts), file=sys.stderr)
        return 1
    (arguments.output / "model.onnx").write_bytes(model)
    np.save(arguments.output / "logits.npy", logits, allow_pickle=False)
    packages = ("jax", "jax2onnx", "onnxruntime")
    facts = {"batch": batch} | {name: version(name) for name in packages}
    (arguments.output / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
