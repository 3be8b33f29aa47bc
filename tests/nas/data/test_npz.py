"""Any `.npz` of images and labels is read, and anything else refused."""

import numpy as np
import pytest

from nas.data import NpzFile

RNG = np.random.default_rng(0)


def pixels(*shape: int) -> np.ndarray:
    """Random grey levels."""
    return RNG.integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize(
    "names",
    [
        ("images", "labels"),
        ("x", "y"),
        ("x_train", "y_train"),
        ("images", "labels", "test_images", "test_labels"),
        ("x_train", "y_train", "x_test", "y_test"),
    ],
)
@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3)])
def test_npz_reads_every_naming(tmp_path, names, shape):
    labels = np.array([0, 1, 2, 2, 2, 2], np.uint8)
    arrays = [pixels(6, *shape), labels, pixels(3, *shape), labels[:3, np.newaxis]]
    path = tmp_path / "data.npz"
    np.savez(path, **dict(zip(names, arrays, strict=False)))
    data = NpzFile(str(path)).load()
    assert np.array_equal(data.inputs, arrays[0].reshape(6, 4, 5, -1))
    assert data.labels.dtype == np.int32
    assert data.labels.tolist() == labels.tolist()
    assert data.class_names == ("0", "1", "2")
    assert "2 has 4 images, 0 has 1" in data.notes[0]
    if len(names) == 2:
        assert data.test_inputs is None
    else:
        assert data.test_labels is not None
        assert data.test_labels.tolist() == [0, 1, 2]


def test_npz_takes_class_names(tmp_path, refuses):
    path = tmp_path / "data.npz"
    names = np.array(["cat", "cow", "dog"])
    np.savez(path, x=pixels(2, 4, 4), y=np.array([0, 2]), class_names=names)
    assert NpzFile(str(path)).load().class_names == ("cat", "cow", "dog")
    np.savez(path, x=pixels(2, 4, 4), y=np.array([0, 3]), class_names=names)
    refuses(NpzFile(str(path)), "label 3 at index 1", "0 to 2")


GOOD = {"x": pixels(4, 6, 6), "y": np.array([0, 1, 0, 1])}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": GOOD["x"], "b": GOOD["y"]}, ("found the arrays a, b", "x and y")),
        (GOOD | {"images": GOOD["x"], "labels": GOOD["y"]}, ("two ways",)),
        (GOOD | {"x_test": GOOD["x"]}, ("x_test", "y_test")),
        (GOOD | {"x": GOOD["x"] / 255}, ("x must be uint8", "float64", "255 *")),
        (GOOD | {"x": pixels(4, 36)}, ("[4, 36]", "[N, H, W, C]")),
        (GOOD | {"x": pixels(4, 3, 6, 6)}, ("[4, 3, 6, 6]", "transpose(0, 2, 3, 1)")),
        (GOOD | {"y": np.eye(4)}, ("y must be integers", "float64")),
        (GOOD | {"y": np.eye(4, dtype=int)}, ("[4, 4]", "argmax")),
        (GOOD | {"y": np.array([0, 1, 0])}, ("int32 [4]", "[3]")),
        (GOOD | {"y": np.array([0, 1, -1, 1])}, ("label -1 at index 2",)),
        (GOOD | {"y": np.array([0, 1, 255, 1])}, ("label 255 at index 2", "label 2,")),
        (GOOD | {"y": np.array([1, 2, 1, 2])}, ("label 2 at index 1", "label 0,")),
        (GOOD | {"y": np.array([0, 1, 2**40, 1])}, ("label 1099511627776",)),
        (GOOD | {"y": np.array([0, 1, None, 1])}, ("array y", "run code")),
        (GOOD | {"x_test": GOOD["x"], "y_test": GOOD["y"] + 1}, ("test label 2",)),
        (GOOD | {"class_names": np.array([1, 2])}, ("class_names", "int64")),
    ],
)
def test_npz_says_what_is_wrong(tmp_path, arrays, words, refuses):
    path = tmp_path / "data.npz"
    np.savez(path, **arrays)
    refuses(NpzFile(str(path)), str(path), *words)


def test_npz_that_is_no_whole_npz(tmp_path, refuses):
    path = tmp_path / "data.npz"
    refuses(NpzFile(str(path)), str(path), "no such file")
    np.savez(path, **GOOD)
    whole = path.read_bytes()
    for part in (b"", whole[:50], whole[:-30], b"text", b"\x80\x04K\x01."):
        path.write_bytes(part)
        refuses(NpzFile(str(path)), f"{path}: not a whole .npz", f"{len(part)} bytes")
    middle = whole.index(GOOD["x"].tobytes()) + 10
    path.write_bytes(whole[:middle] + b"flip" + whole[middle + 4 :])
    refuses(NpzFile(str(path)), str(path), "array x", "CRC")
    with path.open("wb") as file:
        np.save(file, GOOD["x"])
    refuses(NpzFile(str(path)), str(path), "single array")
