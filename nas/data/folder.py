"""A folder of images by class: one folder for each class, named after it."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from PIL import Image, ImageOps

from nas.data.base import Dataset, DataSource, imbalance_notes
from nas.errors import UserError

NAME = "folder"

_ENDINGS = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
_MIN_SIZE, _MAX_SIZE = 4, 1024


@dataclasses.dataclass(frozen=True)
class ImageFolder(DataSource):
    """A folder with one folder of images for each class, in any format of Pillow.

    Images are turned upright, cut to their central square, resized and made RGB.
    """

    path: str
    """The folder that holds the class folders."""

    size: int = 32
    """Height and width that images are resized to, in pixels."""

    path_kind: ClassVar[str] = "a folder that holds one folder of images for each class"

    def __post_init__(self) -> None:
        """Check the size."""
        if not _MIN_SIZE <= self.size <= _MAX_SIZE:
            raise UserError(
                f"The size of images must be from {_MIN_SIZE} to {_MAX_SIZE} pixels, "
                f"found {self.size}."
            )

    @classmethod
    def from_path(cls, path: Path) -> Self | None:
        """Take any folder; `load` says what is wrong with it."""
        return cls(str(path)) if path.is_dir() else None

    def load(self) -> Dataset:
        """Read, crop and resize every image."""
        root = Path(self.path).expanduser()
        files_by_class, num_ignored = _list_files(root)
        files = [file for files in files_by_class.values() for file in files]
        images = np.empty((len(files), self.size, self.size, 3), np.uint8)

        def read_into(index: int) -> None:
            images[index] = read_image(files[index], self.size)

        # Pillow decodes outside the interpreter lock, so threads help.
        with ThreadPoolExecutor() as pool:
            list(pool.map(read_into, range(len(files))))
        class_names = tuple(files_by_class)
        counts = [len(files) for files in files_by_class.values()]
        labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        notes = imbalance_notes(labels, class_names)
        if num_ignored:
            notes += (f"{num_ignored} files in {root} are not images; not used.",)
        return Dataset(images, labels, class_names, source=str(root), notes=notes)


def read_image(path: Path, size: int) -> np.ndarray:
    """Read an image upright, cut to its central square, resized, in colour.

    Args:
      path: an image file of 8 bits a channel.
      size: height and width of the result in pixels.

    Returns:
      uint8 [size, size, 3].

    Raises:
      UserError: if the file cannot be read, or has more than 8 bits a channel.
    """
    try:
        with Image.open(path) as image:
            mode = image.mode
            upright = ImageOps.exif_transpose(image)
            square = ImageOps.fit(
                upright.convert("RGB"), (size, size), Image.Resampling.BILINEAR
            )
    except Exception as error:  # Pillow's decoders raise nearly every type there is.
        raise UserError(
            f"{path}: not a readable image: {error}. Remove the file or replace it."
        ) from error
    if mode.startswith(("I", "F")):
        # Pillow would clip these at 255 and return an almost white image.
        raise UserError(
            f"{path}: has more than 8 bits a pixel (mode {mode}). Convert it to 8 bits."
        )
    return np.asarray(square)


def _list_files(root: Path) -> tuple[dict[str, list[Path]], int]:
    """List the images of each class, and count files that are something else."""
    if not root.is_dir():
        raise UserError(f"{root}: there is no such folder. Correct the path.")
    entries = _visible(root)
    loose = [entry for entry in entries if _is_image(entry)]
    if loose:
        raise UserError(
            f"{root}: {len(loose)} images ({loose[0].name}, ..) lie outside of any "
            "class folder. Put each image into a folder named after its class."
        )
    folders = [entry for entry in entries if entry.is_dir()]
    if not folders:
        raise UserError(
            f"{root}: holds no class folders. Expected one folder of images for each "
            "class. For the files of a named data set, give its name and --data.root."
        )
    files_by_class = {folder.name: _list_class(folder) for folder in folders}
    num_images = sum(len(files) for files in files_by_class.values())
    num_files = sum(len(_visible(folder)) for folder in folders)
    return files_by_class, num_files + len(entries) - len(folders) - num_images


def _list_class(folder: Path) -> list[Path]:
    entries = _visible(folder)
    nested = [entry for entry in entries if entry.is_dir()]
    if nested:
        raise UserError(
            f"{folder}: holds the folder {nested[0].name}, but class folders hold "
            f"images only. If its folders are the classes, give {folder} itself."
        )
    files = [entry for entry in entries if _is_image(entry)]
    if not files:
        raise UserError(
            f"{folder}: holds no images ({', '.join(sorted(_ENDINGS))}). Add some, or "
            "remove the folder."
        )
    return files


def _visible(folder: Path) -> list[Path]:
    # Sorted, because the order of a directory differs between file systems.
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in _ENDINGS and path.is_file()


SOURCE = ImageFolder
