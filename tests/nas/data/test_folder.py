"""Folders of images by class."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data import ImageFolder
from nas.data.folder import read_image
from nas.errors import UserError


def save(path: Path, array: np.ndarray, **options) -> Path:
    """Write an image, and the folder that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array.astype(np.uint8)).save(path, **options)
    return path


@pytest.fixture
def photos(tmp_path) -> Path:
    """Six dogs of growing brightness, two cats, and things to overlook."""
    tmp_path /= "photos"
    for index in range(6):
        save(tmp_path / "dog" / f"{index}.png", np.full((6, 9, 3), 20 * index))
    save(tmp_path / "cat" / "a.JPG", np.full((9, 6), 200))
    save(tmp_path / "cat" / "b.png", np.full((9, 6, 4), 100))
    (tmp_path / "cat" / ".hidden").write_text("x")
    (tmp_path / "cat" / "names.txt").write_text("x")
    return tmp_path


def test_folder_reads_classes_in_order_and_everything_as_colour(photos):
    data = ImageFolder(str(photos), size=5).load()
    assert data.class_names == ("cat", "dog")
    assert data.labels.tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    assert data.inputs.shape == (8, 5, 5, 3)
    brightness = data.inputs.astype(int).reshape(8, -1)
    expected = np.array([200, 100, *range(0, 120, 20)])
    assert np.abs(brightness - expected[:, np.newaxis]).max() <= 1  # JPEG rounds
    imbalance, ignored = data.notes
    assert "dog has 6 images, cat has 2" in imbalance
    assert "75%" in imbalance
    assert "1 files" in ignored


def test_images_are_cut_to_their_central_square(tmp_path):
    wide = np.zeros((4, 8, 3))
    wide[:, 2:6] = np.arange(1, 5)[:, np.newaxis] * 50
    path = save(tmp_path / "wide.png", wide)
    assert np.array_equal(read_image(path, 4), wide[:, 2:6])


def test_images_are_turned_upright(tmp_path):
    array = np.zeros((4, 4, 3))
    array[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # "orientation": the camera was held upside down
    path = save(tmp_path / "turned.png", array, exif=exif)
    assert np.array_equal(read_image(path, 4), array[::-1])


def test_folder_names_the_file_that_is_no_image(photos, refuses):
    broken = photos / "dog" / "3.png"
    content = broken.read_bytes()
    for part in (b"", b"GIF", content[: len(content) // 2]):
        broken.write_bytes(part)
        refuses(ImageFolder(str(photos)), str(broken), "not a readable image")
    Image.fromarray(np.full((6, 6), 3000, np.uint16)).save(broken)
    refuses(ImageFolder(str(photos)), str(broken), "more than 8 bits", "I;16")


def test_folder_says_what_is_wrong_with_its_layout(photos, tmp_path_factory, refuses):
    top = ImageFolder(str(photos))
    refuses(ImageFolder(str(photos / "no")), "no such folder")
    refuses(ImageFolder(str(photos / "dog")), "6 images (0.png, ..)", "named after")
    refuses(ImageFolder(str(photos.parent)), f"{photos}: holds the folder cat")
    (photos / "cow").mkdir()
    refuses(top, f"{photos / 'cow'}: holds no images", ".jpeg")
    (photos / "cow").rmdir()
    save(photos / "cat.png", np.zeros((6, 6)))
    refuses(top, "cat.png", "outside of any class folder")

    other = tmp_path_factory.mktemp("other")
    refuses(ImageFolder(str(other)), "holds no class folders")
    save(other / "cat" / "a.png", np.zeros((6, 6)))
    refuses(ImageFolder(str(other)), "1 class (cat)", "at least two")


@pytest.mark.parametrize("size", [0, -32, 5000])
def test_folder_refuses_sizes(size):
    with pytest.raises(UserError, match=f"found {size}"):
        ImageFolder("photos", size=size)
