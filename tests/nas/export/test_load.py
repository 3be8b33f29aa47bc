import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nas.errors import UserError
from nas.export import load_subnet
from nas.export.parts import describe_supernet, rebuild_supernet
from supernets import NASBench201Supernet

ROOT = Path(__file__).parents[3]
FRESH = """
import sys, numpy as np
from nas.export import load_subnet
subnet = load_subnet(sys.argv[1])
np.save(sys.argv[3], subnet(np.load(sys.argv[2])))
print(subnet.class_names, subnet.choices["edge_0_1"])
"""


@pytest.fixture
def copy(exported, tmp_path) -> Path:
    return Path(shutil.copytree(exported.path, tmp_path / "subnet"))


def change(path: Path, **entries) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def test_round_trip_in_a_fresh_process(exported, trained, tmp_path):
    images, reference = (
        trained.arguments[name] for name in ("sample_inputs", "reference_logits")
    )
    np.save(tmp_path / "x.npy", images)
    command = [sys.executable, "-c", FRESH, exported.path]
    done = subprocess.run(
        [*map(str, command), str(tmp_path / "x.npy"), str(tmp_path / "y.npy")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "('cat', 'dog', 'owl') skip_connect\n", done.stderr
    logits = np.load(tmp_path / "y.npy")
    assert np.abs(logits - reference).max() < 1e-5 * np.abs(reference).max()


def test_module_is_in_inference_mode_and_takes_normalised_images(exported, trained):
    subnet = load_subnet(exported.path)
    x = subnet.preprocessing(trained.arguments["sample_inputs"])
    one = np.asarray(subnet.module(x[:1]))
    together = np.asarray(subnet.module(x))[:1]
    np.testing.assert_allclose(one, together, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(subnet.genotype, trained.arguments["genotype"])


@pytest.mark.parametrize("name", ["architecture.json", "weights.safetensors"])
def test_missing_file(copy, name):
    (copy / name).unlink()
    with pytest.raises(UserError, match=f"lacks {name}"):
        load_subnet(copy)


def test_wrong_folder_says_where_the_subnets_are(copy):
    with pytest.raises(UserError, match="beside it are subnet"):
        load_subnet(copy.with_name("subnat"))
    with pytest.raises(UserError, match="folders in it: subnet"):
        load_subnet(copy.parent)


@pytest.mark.parametrize("keep", [0, 5, 200, -4])
def test_truncated_weights(copy, keep):
    path = copy / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match="truncated or damaged"):
        load_subnet(copy)


def test_changed_weights(copy):
    path = copy / "weights.safetensors"
    contents = bytearray(path.read_bytes())
    contents[-1] ^= 1
    path.write_bytes(contents)
    with pytest.raises(UserError, match=r"weights\.safetensors has SHA-256"):
        load_subnet(copy)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"schema": 7}, "has schema 7; this version reads schema 1"),
        ({"space_hash": "0123"}, "hash .* but 0123 was recorded"),
        ({"genotype": [0, 0, 0, 0, 0, 9]}, "index 9"),
        ({"genotype": [1, 2, 3, 4, 0, 0]}, "choices is .* but the other entries"),
        ({"choices": {}}, "choices is .* but the other entries"),
        ({"class_names": ["cat"]}, "1 class names for 3"),
        ({"preprocessing": {"mean": [0.5]}}, "KeyError"),
        ({"space": {"schema": 2}}, "schema 2"),
        ({"supernet": "os:system"}, "expected a class and its fields"),
    ],
)
def test_changed_description(copy, entries, message):
    change(copy / "architecture.json", **entries)
    with pytest.raises(UserError, match=message):
        load_subnet(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}'])
def test_description_that_is_none(copy, text):
    (copy / "architecture.json").write_text(text)
    with pytest.raises(UserError, match=r"architecture\.json"):
        load_subnet(copy)


def test_nothing_is_imported_by_a_name_in_a_file(copy, monkeypatch):
    (copy.parent / "planted.py").write_text("raise SystemExit('it was imported')")
    monkeypatch.syspath_prepend(str(copy.parent))
    for name in ("planted:Supernet", "subprocess:Popen", "builtins:dict"):
        change(copy / "architecture.json", supernet={"class": name, "fields": {}})
        with pytest.raises(UserError, match=f"class {name} is not known here"):
            load_subnet(copy)
    assert "planted" not in sys.modules


def test_fields_of_another_version_of_the_class(copy):
    path = copy / "architecture.json"
    supernet = json.loads(path.read_text())["supernet"]
    supernet["fields"]["chanels"] = 4
    change(path, supernet=supernet)
    with pytest.raises(UserError, match=r"cannot be built from the fields.*chanels"):
        load_subnet(copy)


@dataclasses.dataclass(frozen=True)
class Part:
    sizes: tuple[tuple[int, ...], ...]


@dataclasses.dataclass(frozen=True)
class OwnSupernet(NASBench201Supernet):
    part: Part | None = None

    __hash__ = NASBench201Supernet.__hash__


def own_supernet(trained, part):
    fitted = trained.arguments["supernet"]
    fields = {f.name: getattr(fitted, f.name) for f in dataclasses.fields(fitted)}
    return OwnSupernet(**fields, part=part)


def test_own_classes_and_nested_parts_are_handed_over(trained):
    own = own_supernet(trained, Part(((1, 2), ())))
    data = json.loads(json.dumps(describe_supernet(own)))
    with pytest.raises(UserError, match="OwnSupernet is not known here"):
        rebuild_supernet(data, own.space)
    given = {"own": OwnSupernet, "part": Part}
    assert dataclasses.asdict(rebuild_supernet(data, own.space, given)) == (
        dataclasses.asdict(own)
    )


def test_a_field_that_json_cannot_hold(trained):
    own = own_supernet(trained, {1, 2})
    with pytest.raises(UserError, match=r"OwnSupernet\.part holds a set"):
        describe_supernet(own)
