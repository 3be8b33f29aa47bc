import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from nas.data.folder import read_image
from nas.export import predict_image as predict


def run(folder, *images, cwd):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    # Isolated: neither the current folder, nor the user's own packages, are seen.
    script = (
        "import runpy, sys; sys.path = [p for p in sys.path if 'editable' not in p];"
        "sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f)];"
        "sys.modules['nas'] = sys.modules['supernets'] = None;"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-I", "-c", script, str(folder / "predict.py"), *images],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_predicts_where_this_package_is_not(exported, trained, tmp_path):
    images = trained.arguments["sample_inputs"][:2]
    for i, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{i}.png")
    folder = shutil.copytree(exported.path, tmp_path / "elsewhere")
    done = run(folder, "0.png", "1.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    logits = np.asarray(trained.arguments["reference_logits"], np.float64)[:2]
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    for i, line in enumerate(done.stdout.splitlines()):
        name, *classes = line.split("\t")
        found = {key: float(p) for key, p in (c.split(" ") for c in classes)}
        assert name == f"{i}.png"
        names = trained.arguments["class_names"]
        assert list(found) == [names[j] for j in np.argsort(-shares[i])]
        expected = dict(zip(names, shares[i], strict=True))
        assert found == pytest.approx(expected, abs=1e-4)


def test_bad_files_are_one_message(exported, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "good.png")
    broken = shutil.copytree(exported.path, tmp_path / "broken")
    path = broken / "model.jax_export"
    path.write_bytes(path.read_bytes()[:100])
    for folder, image, message in (
        (exported.path, "absent.png", "absent.png: there is no such file."),
        (exported.path, "text.png", "text.png: not a readable image"),
        (broken, "good.png", "cannot be read"),
    ):
        done = run(folder, image, cwd=tmp_path)
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("predict.py: ")
        assert done.stdout == ""


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1"])
@pytest.mark.parametrize("size", [(8, 8), (21, 13)])
def test_images_are_prepared_as_in_training(tmp_path, mode, size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    path = tmp_path / "image.png"
    Image.fromarray(pixels).convert(mode).save(path)
    found = predict.read_image(path, (8, 8, 3))
    np.testing.assert_array_equal(found, read_image(path, 8))


def test_more_than_8_bits_are_refused(tmp_path, capsys):
    path = tmp_path / "deep.png"
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(path)
    with pytest.raises(SystemExit, match="2"):
        predict.read_image(path, (8, 8, 1))
    assert "more than 8 bits" in capsys.readouterr().err
