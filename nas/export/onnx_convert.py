"""Convert a subnet inside the environment that has jax2onnx; run by its file name.

That environment has its own JAX and Flax, and not all that the engine imports. So the
packages are mounted by hand: what is imported here is the reading of a subnet alone.
"""

import argparse
import importlib.util
import json
import sys
import types
from pathlib import Path


def mount(packages: Path) -> None:
    """Make the installed packages importable, without their neighbours.

    Their folder is not put on the path: it may be a `site-packages` whose other
    contents are of other versions than this environment's.
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


def main() -> None:
    """Write the model, and what onnxruntime answers beside what the module does."""
    parser = argparse.ArgumentParser()
    for name in ("packages", "subnet", "images", "output"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    mount(arguments.packages)

    import jax
    import jax2onnx
    import numpy as np
    import onnxruntime

    from nas.export.load import load_subnet
    from nas.export.programs import make_program

    subnet = load_subnet(arguments.subnet)
    program = make_program(subnet.module, subnet.preprocessing)
    images = np.load(arguments.images, allow_pickle=False)
    reference = np.asarray(subnet(images))
    shape, problems = images.shape[1:], []
    for batch, tried in (("b", (1, 2, len(images))), (1, (1,))):
        try:
            model = jax2onnx.to_onnx(
                program,
                [jax.ShapeDtypeStruct(tuple(shape), images.dtype)]
                if False
                else [(batch, *shape)],
                model_name=arguments.subnet.name,
            )
            break
        except Exception as error:
            problems.append(repr(error)); raise
