import json
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from nas.errors import UserError
from nas.report.health import alarms
from nas.report.html import Html, link, table, tag
from nas.report.page import report_page, write_report
from nas.report.record import read_record
from nas.report.story import choices_text, counted, settings_text, summary

from .conftest import SPACE

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Reader(HTMLParser):
    """Collects text, attributes and ids, and holds that elements close in order."""

    def __init__(self, page: str):
        super().__init__()
        self.open, self.texts = [], []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.attributes += [(name, key, value) for key, value in attributes]
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.attributes += [(name, key, value) for key, value in attributes]

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "script"):
            self.texts.append(data)

    def values(self, *keys: str) -> list[str]:
        return [value or "" for _, key, value in self.attributes if key in keys]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture
def page(workdir) -> Reader:
    return Reader(write_report(workdir).read_text())


def test_page_shows_the_front(page):
    for number in ("50.00 % [40.00, 60.00]", "1.0000", "10.00 % [8.00, 12.00]"):
        assert number in page.text
    assert "1k" in page.text and "125k" in page.text  # MACs
    assert "0.734 ms" in page.text or "0.735 ms" in page.text
    assert "depth 2; width 24, 16" in page.text
    assert "depth 1; width 8" in page.text  # without the block that is not there


def test_page_says_how_the_numbers_were_made(page):
    for words in (
        "weights 1,000, search 333, report 444",
        "2.5e-07",
        "jax 9.8.7",
        "300 steps of 32 images",
        "12 architectures",
    ):
        assert words in page.text
    assert "weights of the supernet" in page.text
    assert "Told <how>. The hand-made network" in page.text
    assert "6.25 %" in page.text and "12.3k" in page.text


def test_page_is_self_contained(page):
    sources = page.values("src", "href", "xlink:href", "data", "action")
    assert sources
    assert all(
        s.startswith(("#", "subnets/", "data:image/png;base64,")) for s in sources
    )
    assert not any(
        name in ("script", "link", "iframe") for name, _, _ in page.attributes
    )


def test_links_lead_to_files_and_ids_of_the_page(page, workdir):
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    for target in page.values("href", "xlink:href"):
        if target.startswith("#"):
            assert target[1:] in ids
        else:
            assert (workdir / target).exists()
    assert "subnets/0-0-0/predict.py" in page.values("href")


def test_texts_are_escaped(workdir):
    page = write_report(workdir).read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; co" in page
    assert '<script>alert("x")</script> & co' in Reader(page).text


def test_same_files_same_bytes(workdir, tmp_path_factory):
    other = tmp_path_factory.mktemp("elsewhere") / "copy"
    shutil.copytree(workdir, other)
    assert write_report(workdir).read_bytes() == write_report(other).read_bytes()
    assert write_report(workdir).read_bytes() == write_report(other).read_bytes()


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("metrics.jsonl", "nothing was trained yet"),
        ("archive.csv", "nothing was searched yet"),
        ("front.json", "no front was measured yet"),
        ("subnets", "No network was exported yet"),
    ],
)
def test_missing_pieces_are_left_out_with_a_sentence(workdir, missing, said):
    path = workdir / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = Reader(write_report(workdir).read_text())
    assert said in page.text
    assert "What to do next" in page.text


@pytest.mark.parametrize("damaged", ["metrics.jsonl", "archive.csv", "front.json"])
def test_damaged_pieces_are_named(workdir, damaged):
    path = workdir / damaged
    path.write_bytes(path.read_bytes()[:-30] + b'{"oops')
    assert f"{damaged} cannot be read" in Reader(write_report(workdir).read_text()).text


def test_a_folder_of_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no config\.json"):
        write_report(tmp_path)


def test_every_search_has_a_curve_that_never_falls(workdir):
    curves = read_record(workdir).hypervolumes
    assert list(curves) == ["search 0", "search 1"]
    (_, first), (at, second) = curves.values()
    assert (np.diff(np.concatenate([first, second])) >= 0).all()
    assert second[0] == first[-1] and at[0] == 0 and at[-1] == 6
    assert 0 < second[-1] <= 1


def test_constraints_decide_what_counts(workdir):
    config = json.loads((workdir / "config.json").read_text())
    config["search"]["where"] = ["macs<=8000"]
    (workdir / "config.json").write_text(json.dumps(config))
    record = read_record(workdir)
    assert record.archive is not None
    assert record.archive.column("macs")[record.searched_front].max() == 8000
    assert "under macs<=8000" in " ".join(summary(record))


def test_alarms_name_what_is_wrong_and_nothing_else(workdir):
    found = alarms(read_record(workdir))
    assert len(found) == 1 and "width_1 = 24" in found[0]
    text = (workdir / "metrics.jsonl").read_text()
    flat = text.replace('"value": 1.0}', '"value": 2.0}').replace(
        '"train/loss", "value": 1.5', '"train/loss", "value": 2.0'
    )
    (workdir / "metrics.jsonl").write_text(flat)
    assert any("did not fall" in a for a in alarms(read_record(workdir)))
    members = json.loads((workdir / "front.json").read_text())
    for member in members:
        member["objectives"]["error"] = 0.89
        member["interval"] = [0.8, 0.95]
    (workdir / "front.json").write_text(json.dumps(members))
    found = " ".join(alarms(read_record(workdir)))
    assert "guessing errs on 90 %" in found and "overlap" in found


def test_rank_is_shown_when_there_is_one(workdir):
    rank = {"tau": 0.713, "n": 40, "low": 0.6, "high": 0.8, "baselines": {"macs": 0.5}}
    (workdir / "rank.json").write_text(json.dumps(rank))
    text = Reader(report_page(read_record(workdir))).text
    assert "is 0.71 (95 % interval 0.60 to 0.80), over 40" in text


def test_html_escapes_all_but_html():
    assert tag("p", "<b>", class_='"') == '<p class="&quot;">&lt;b&gt;</p>'
    assert tag("p", Html("<b></b>")) == "<p><b></b></p>"
    assert link("a b/<", "x") == '<a href="a%20b/%3C">x</a>'
    assert "<thead>" not in table((), [("a",)])


def test_words():
    assert counted(15625) == "15,625"
    assert counted(123 * 10**9) == "about 1.2 \N{MULTIPLICATION SIGN} 10^11"
    settings = {"class": "SGD", "rate": 0.05, "on": True, "no": None, "t": ["a", "b"]}
    assert settings_text(settings) == "SGD (rate 0.05, on true, t a, b)"
    assert choices_text(SPACE, [0, 1, 2]) == "depth 1; width 16"
