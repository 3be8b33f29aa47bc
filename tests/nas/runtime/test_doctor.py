"""What is wrong with a machine is found and said."""

from pathlib import Path

import jax

from nas.runtime import compilation_cache, doctor

OURS = Path(doctor.__file__).parents[2]


def test_every_row_is_fine_or_says_what_to_do(tmp_path):
    rows = doctor.examine(tmp_path / "not" / "yet")
    names = {row.name for row in rows}
    assert {"python", "jax", "devices", "memory", "compilation cache"} <= names
    assert {f"package {name}" for name in doctor.PACKAGES} <= names
    assert all(bool(row.hint) != row.ok for row in rows)
    devices = next(row for row in rows if row.name == "devices")
    assert devices.value.startswith(f"{len(jax.devices())} x cpu")


def test_our_packages_are_ours():
    assert all(row.ok for row in doctor.packages())


def test_somebody_elses_package_is_a_conflict(tmp_path):
    def locate(name):
        return {"experiments": tmp_path / "experiments"}.get(name, OURS / name)

    bad = [row for row in doctor.packages(locate) if not row.ok]
    assert [row.name for row in bad] == ["package experiments"]
    assert bad[0].value == str(tmp_path / "experiments")
    assert str(OURS / "experiments") in bad[0].hint


def test_missing_package_is_a_conflict():
    bad = [row for row in doctor.packages(lambda name: None) if not row.ok]
    assert len(bad) == 5
    assert {row.value for row in bad} == {"missing"}


def test_folders_on_the_path_are_seen(tmp_path, monkeypatch):
    (tmp_path / "somebody_elses").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert doctor._locate("somebody_elses") == tmp_path / "somebody_elses"
    assert doctor._locate("no_such_package_at_all") is None


def test_full_disk_and_missing_library_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "_LOW_BYTES", 1e30)
    monkeypatch.setattr(doctor, "LIBRARIES", ("no-such-library",))
    bad = {row.name: row.hint for row in doctor.examine(tmp_path) if not row.ok}
    assert "pip install no-such-library" in bad["no-such-library"]
    assert any(name.startswith("free disk") for name in bad)


def test_default_folder_of_the_cache():
    found = compilation_cache.default_dir({"XDG_CACHE_HOME": "/c"})
    assert found.parts[:4] == ("/", "c", "nas", "compiled")
    assert compilation_cache.default_dir({}).is_relative_to(Path.home() / ".cache")
