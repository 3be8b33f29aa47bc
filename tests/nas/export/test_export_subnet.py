import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.errors import UserError
from nas.export import ExportError, subnet
from nas.export.programs import load_batched
from nas.export.stablehlo import compile_stablehlo
from supernets.paths import flatten

FILES = {
    "architecture.json",
    "card.json",
    "weights.safetensors",
    "model.stablehlo",
    "model.jax_export",
    "predict.py",
    "parity.json",
}


def relative(found, reference):
    found, reference = np.asarray(found), np.asarray(reference)
    return np.abs(found - reference).max() / np.abs(reference).max()


def test_folder_holds_the_files_of_the_contract(exported, trained):
    assert {path.name for path in exported.path.iterdir()} == FILES
    assert [path.name for path in exported.path.parent.iterdir()] == [exported.id]
    card = json.loads((exported.path / "card.json").read_text())
    assert card == exported.card
    assert json.loads((exported.path / "parity.json").read_text()) == exported.parity
    sizes = {n: (exported.path / n).stat().st_size for n in card["file_bytes"]}
    assert sizes == card["file_bytes"]
    leaves = flatten(trained.arguments["extracted"]["params"]).values()
    assert card["params"] == sum(leaf.size for leaf in leaves)


@pytest.mark.parametrize("batch", [1, 7])
def test_jax_export_takes_any_batch(exported, trained, batch):
    program = load_batched((exported.path / "model.jax_export").read_bytes())
    images = trained.arguments["sample_inputs"][:batch]
    reference = trained.arguments["reference_logits"][:batch]
    assert relative(program(images), reference) < 1e-5


def test_jax_export_is_for_every_platform(exported):
    contents = (exported.path / "model.jax_export").read_bytes()
    found = jax.export.deserialize(bytearray(contents)).platforms
    assert set(found) == {"cpu", "cuda", "tpu"}


def test_stablehlo_runs_without_the_module(exported, trained):
    run = compile_stablehlo((exported.path / "model.stablehlo").read_bytes())
    for i in (0, 19):
        images = trained.arguments["sample_inputs"][i : i + 1]
        reference = trained.arguments["reference_logits"][i : i + 1]
        assert relative(run(images), reference) < 1e-5


def test_stablehlo_calls_nothing_that_only_jax_has(trained):
    program = subnet.make_program(
        subnet.build_module(
            subnet.SubnetDescription(
                *(
                    trained.arguments[name]
                    for name in ("supernet", "genotype", "preprocessing", "class_names")
                )
            ),
            trained.arguments["extracted"],
        ),
        trained.arguments["preprocessing"],
    )
    spec = jax.ShapeDtypeStruct((1, 8, 8, 1), jnp.uint8)
    lowered = jax.export.export(jax.jit(program), platforms=("cpu",))(spec)
    assert "custom_call" not in lowered.mlir_module()


@pytest.mark.parametrize("contents", [b"", b"no program", b"ML\xefRcut off"])
def test_damaged_programs_are_refused(contents):
    with pytest.raises(UserError, match="StableHLO"):
        compile_stablehlo(contents)
    with pytest.raises(UserError, match=r"model\.jax_export"):
        load_batched(contents)


@pytest.mark.parametrize("group", ["params", "stats"])
def test_tampered_weights_are_refused_and_leave_nothing(trained, tmp_path, group):
    extracted = trained.arguments["extracted"]
    tampered = jax.tree.map(lambda leaf: leaf * 1.01, extracted[group])
    with pytest.raises(ExportError, match=r"module differ .* supernet .* 20 examples"):
        trained.export(tmp_path / "a", extracted={**extracted, group: tampered})
    assert list(tmp_path.iterdir()) == []


def test_not_a_number_is_refused(trained, tmp_path):
    extracted = jax.tree.map(
        lambda leaf: leaf * jnp.nan, trained.arguments["extracted"]
    )
    with pytest.raises(ExportError, match="relative inf"):
        trained.export(tmp_path / "a", extracted=extracted)
    with pytest.raises(ExportError, match="relative inf"):
        trained.export(
            tmp_path / "a", reference_logits=np.full((20, 3), np.nan, np.float32)
        )
    assert list(tmp_path.iterdir()) == []


def test_a_refused_export_keeps_the_earlier_one(trained, tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "kept").write_text("earlier")
    with pytest.raises(ExportError):
        trained.export(folder, tolerance=0.0)
    assert (folder / "kept").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_export_replaces_the_earlier_one_and_clears_leftovers(trained, tmp_path):
    folder = tmp_path / "a"
    for name in ("a", ".a.partial", ".a.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stale").write_text("")
    done = trained.export(folder, card={"note": "mine"}, report=None)
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert done.card["note"] == "mine"
    assert "error" not in done.card


def test_a_full_disk_keeps_the_earlier_export(trained, tmp_path, monkeypatch):
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "kept").write_text("earlier")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(subnet.shutil, "copyfile", full)
    with pytest.raises(subnet.StorageError, match="No space left"):
        trained.export(folder)
    assert [path.name for path in folder.iterdir()] == ["kept"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": ("cat", "dog")}, "2 class names for 3"),
        ({"sample_inputs": np.zeros((2, 8, 8, 3), np.uint8)}, "sample_inputs"),
        ({"sample_inputs": np.zeros((2, 8, 8, 1), np.float32)}, "sample_inputs"),
        ({"genotype": np.array([9, 0, 0, 0, 0, 0])}, "index 9"),
        ({"card": {"macs": 1}}, "macs"),
    ],
)
def test_arguments_that_do_not_belong_together(trained, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        trained.export(tmp_path / "a", **changes)
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_architecture(trained, tmp_path):
    with pytest.raises(ExportError, match="not those of this subnet"):
        trained.export(tmp_path / "a", genotype=np.full(6, 3))
