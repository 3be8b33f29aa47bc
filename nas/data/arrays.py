"""Arrays out of `.npz` files, and their check: what sources that read arrays share."""

import contextlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nas.errors import UserError

_DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


def npz_keys(path: Path) -> tuple[str, ...]:
    """List the names of the arrays in an `.npz` file, without reading them.

    Raises:
      UserError: if the file is missing or is no `.npz` file.
    """
    with _open(path) as archive:
        return tuple(archive.files)


def read_npz(path: Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read some arrays of an `.npz` file. Pickled objects are never loaded.

    Args:
      path: the file.
      keys: names that `npz_keys` listed.

    Raises:
      UserError: if the file is missing or damaged, or an array is a pickle.
    """
    arrays = {}
    with _open(path) as archive:
        for key in keys:
            try:
                arrays[key] = archive[key]
            except _DAMAGED as error:
                raise UserError(
                    f"{path}: cannot read the array {key}: {error}. The file is "
                    "damaged, or holds Python objects, which are not loaded because "
                    "they could run code. Make it again with numpy.savez, of plain "
                    "number arrays."
                ) from error
    return arrays


@contextlib.contextmanager
def _open(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file. Correct the path.")
    # Opened here, because numpy.load leaves a damaged file open.
    with path.open("rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
        except _DAMAGED as error:
            raise UserError(
                f"{path}: not a whole .npz file ({path.stat().st_size} bytes): "
                f"{error}. It may be cut short: copy or download it again, or make it "
                "with numpy.savez."
            ) from error
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise UserError(
                f"{path}: holds a single array, not an archive of named arrays. Save "
                "images and labels together with numpy.savez."
            )
        with archive:
            yield archive


def as_images(array: np.ndarray, where: str) -> np.ndarray:
    """Check images and give grey ones their channel axis.

    Args:
      array: uint8 [N, H, W] or [N, H, W, C] with 1 to 4 channels.
      where: what error messages begin with.

    Returns:
      uint8 [N, H, W, C], a view of `array`.

    Raises:
      UserError: if the type or the shape is another.
    """
    if array.dtype != np.uint8:
        raise UserError(
            f"{where} must be uint8, pixels from 0 to 255, found {array.dtype}. "
            "Convert, for pixels from 0 to 1: (255 * images).round().astype('uint8')."
        )
    if array.ndim == 3:
        return array[..., np.newaxis]
    if array.ndim == 4 and 1 <= array.shape[-1] <= 4:
        return array
    hint = ""
    if array.ndim == 4 and array.shape[1] <= 4:
        hint = " Channels come last: images.transpose(0, 2, 3, 1)."
    raise UserError(
        f"{where} must have shape [N, H, W] or [N, H, W, C] with 1 to 4 channels, "
        f"found {list(array.shape)}.{hint}"
    )


def as_labels(array: np.ndarray, where: str) -> np.ndarray:
    """Check labels and make them int32.

    Args:
      array: integers [N] or [N, 1], not negative.
      where: what error messages begin with.

    Returns:
      int32 [N].

    Raises:
      UserError: if they are no integers, have another shape, or do not fit.
    """
    if not np.issubdtype(array.dtype, np.integer):
        raise UserError(
            f"{where} must be integers, found {array.dtype}. Number the classes from 0."
        )
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        hint = " For one-hot labels: labels.argmax(1)." if array.ndim == 2 else ""
        raise UserError(
            f"{where} must have shape [N], found {list(array.shape)}.{hint}"
        )
    wrong = np.flatnonzero((array < 0) | (array > np.iinfo(np.int32).max))
    if wrong.size:
        raise UserError(
            f"{where}: label {array[wrong[0]]} at index {wrong[0]} is out of range "
            f"({wrong.size} of {len(array)} labels are). Number the classes from 0."
        )
    return array.astype(np.int32)
