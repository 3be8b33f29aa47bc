"""The README's Python runs as it stands, and what it points to exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
LINKS = re.findall(r"\]\(([^)#]+)\)", TEXT)


def test_first_screen_is_short():
    assert len(BLOCKS[0].strip().splitlines()) <= 18


def test_python_runs(capsys):
    exec(compile(BLOCKS[0], "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    members = [line for line in lines if "'macs'" in line]
    assert len(members) >= 3
    assert all("'error'" in line for line in members)


@pytest.mark.parametrize("link", LINKS)
def test_links_exist(link):
    assert link.startswith("http") or (ROOT / link).exists()
