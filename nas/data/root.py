"""The folder under which the files of named data sets are looked for."""

import os
from pathlib import Path

from nas.errors import UserError

ROOT_VARIABLE = "NAS_DATA"
"""The environment variable that stands in for an empty `root`."""


def data_folders(root: str, name: str, subfolders: tuple[str, ...]) -> list[Path]:
    """List the folders in which the files of a data set may be.

    Args:
      root: the folder that the user gave, or empty for the environment variable.
      name: the data set, for error messages.
      subfolders: where the files usually are, relative to the root.

    Returns:
      The root itself and those of its subfolders that exist.

    Raises:
      UserError: if no root was given, or it is no folder.
    """
    given = root or os.environ.get(ROOT_VARIABLE, "")
    if not given:
        raise UserError(
            f"{name}: where its files are was not said. Give their folder with "
            f"--data.root DIR, or set the environment variable {ROOT_VARIABLE}. "
            "Nothing is downloaded."
        )
    path = Path(given).expanduser()
    if not path.is_dir():
        origin = "--data.root" if root else f"the environment variable {ROOT_VARIABLE}"
        raise UserError(
            f"{name}: {origin} is {given}, which is not a folder. Give the folder "
            f"that holds the files of {name}."
        )
    return [path, *(path / sub for sub in subfolders if (path / sub).is_dir())]


def not_found(name: str, folders: list[Path], wanted: str) -> UserError:
    """Make the error for files that are in none of the folders.

    Args:
      name: the data set.
      folders: where they were looked for.
      wanted: which files would have done.
    """
    looked = ", ".join(str(folder) for folder in folders)
    return UserError(
        f"{name}: none of its files in {looked}. Wanted: {wanted}. Give their folder "
        f"with --data.root DIR or the environment variable {ROOT_VARIABLE}."
    )


def size_notes(found: tuple[int, int], official: tuple[int, int]) -> tuple[str, ...]:
    """Say so when a data set does not have its official number of images.

    Args:
      found: how many training and test images there are.
      official: how many there are in the published set.
    """
    if found == official:
        return ()
    return (
        f"Not the whole data set: {found[0]} training and {found[1]} test images, "
        f"officially {official[0]} and {official[1]}. Do not compare with published "
        "numbers.",
    )
