"""Classify images with the network in this folder.

Run `python predict.py IMAGE.png [MORE.png ..]`. It needs Python 3.11 and
`pip install jax numpy pillow flatbuffers`, and nothing else: the program beside this
file, `model.jax_export`, holds the weights and all that happens to the pixels but for
the resizing done here.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NoReturn

FOLDER = Path(__file__).resolve().parent
MODES = {1: "L", 3: "RGB"}


def fail(message: str) -> NoReturn:
    """Print one message and leave with status 2."""
    print(f"predict.py: {message}", file=sys.stderr)
    sys.exit(2)


try:
    import flatbuffers as _flatbuffers  # noqa: F401  jax.export reads its files with it
    import jax
    import jax.export
    import numpy as np
    from PIL import Image, ImageOps
except ImportError as error:
    fail(f"{error}. Install what is needed: pip install jax numpy pillow flatbuffers")


def read_image(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """Read an image upright, cut to the network's proportions and resized.

    Args:
      path: a file of any format that Pillow reads, 8 bits a channel.
      shape: `(H, W, C)` of the network's input.

    Returns:
      uint8 [H, W, C].
    """
    height, width, channels = shape
    if not path.is_file():
        fail(f"{path}: there is no such file.")
    try:
        with Image.open(path) as image:
            mode = image.mode
            upright = ImageOps.exif_transpose(image).convert(MODES[channels])
            fitted = ImageOps.fit(upright, (width, height), Image.Resampling.BILINEAR)
    except Exception as error:  # Pillow's decoders raise nearly every type there is.
        fail(f"{path}: not a readable image: {error}")
    if mode.startswith(("I", "F")):
        fail(f"{path}: has more than 8 bits a pixel (mode {mode}). Convert it to 8.")
    return np.asarray(fitted).reshape(shape)


def read_model() -> tuple[dict[str, Any], Any]:
    """Read what the network takes and answers, and the network."""
    try:
        text = (FOLDER / "architecture.json").read_text(encoding="utf-8")
        description = json.loads(text)
        program = (FOLDER / "model.jax_export").read_bytes()
        exported = jax.export.deserialize(bytearray(program))
    except OSError as error:
        fail(
            f"{error.filename} cannot be read: {error.strerror}. Copy the whole folder."
        )
    except Exception as error:  # a damaged file makes its readers raise anything
        fail(
            f"the network in {FOLDER} cannot be read ({error!r:.200}). It is damaged, "
            f"or needs a JAX newer than {jax.__version__}."
        )
    return description, jax.jit(exported.call)


def run(program: Any, batch: np.ndarray) -> np.ndarray:
    """Compute float64 logits [B, num_classes]."""
    try:
        return np.asarray(program(batch), np.float64)
    except jax.errors.JaxRuntimeError as error:
        reason = str(error).partition("\n")[0]
        fail(
            f"the network cannot be run by JAX {jax.__version__} ({reason}). It may "
            "need a newer one: pip install --upgrade jax"
        )


def main() -> None:
    """Print the most probable classes of each image."""
    parser = argparse.ArgumentParser(description="Classify images.")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--top", type=int, default=3, help="classes to print (3)")
    arguments = parser.parse_args()
    description, program = read_model()
    spec, names = description["input"], description["class_names"]
    shape = tuple(spec["shape"])
    if spec["kind"] != "image" or shape[-1] not in MODES:
        fail(f"the network takes {spec['kind']} {shape}, not gray or colour images.")
    batch = np.stack([read_image(path, shape) for path in arguments.images])
    logits = run(program, batch)
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities = weights / weights.sum(-1, keepdims=True)
    for path, row in zip(arguments.images, probabilities, strict=True):
        best = np.argsort(-row, kind="stable")[: max(arguments.top, 1)]
        print(path, *(f"{names[i]} {row[i]:.4f}" for i in best), sep="\t")


if __name__ == "__main__":
    main()
