"""The second process reads the programs that the first compiled."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import jax
from nas.runtime import compilation_cache
print(compilation_cache.enable(sys.argv[1] == "on"))
jax.jit(lambda x: x * 3 + 1)(jax.numpy.ones(5))
"""


def run(environ, mode="on"):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, mode],
        env=clean | {"JAX_PLATFORMS": "cpu"} | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def programs(folder):
    return sorted(p.name for p in folder.rglob("*-cache"))


def test_on_by_default_below_the_cache_home(tmp_path):
    folder = run({"XDG_CACHE_HOME": str(tmp_path)})
    assert folder.startswith(str(tmp_path / "nas" / "compiled"))
    kept = programs(tmp_path)
    assert any("lambda" in name for name in kept)
    run({"XDG_CACHE_HOME": str(tmp_path)})
    assert programs(tmp_path) == kept


def test_variable_of_jax_wins(tmp_path):
    environ = {
        "XDG_CACHE_HOME": str(tmp_path / "no"),
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "yes"),
    }
    assert run(environ) == str(tmp_path / "yes")
    assert programs(tmp_path / "yes")
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("case", ["off", "unwritable"])
def test_none_when_turned_off_or_impossible(tmp_path, case):
    home = tmp_path / "home"
    if case == "unwritable":
        home.write_text("a file")
    mode = "off" if case == "off" else "on"
    assert run({"XDG_CACHE_HOME": str(home)}, mode) == "None"
    assert programs(tmp_path) == []
