"""`report.html`: one self-contained page that explains a run to who was not there.

It is written from the files of the workdir alone, needs no script and no network, and
is the same byte for byte while the files are.
"""

import os
from pathlib import Path

from nas.report import members, ranking, sections, table_sections
from nas.report.html import Html, join, tag
from nas.report.partition import partition
from nas.report.record import Record, read_record
from nas.runtime.workdir import Workdir, write_text_atomic

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --muted: #5c6570;
  --faint: #c9ced6; --panel: #f5f7f9; --accent: #0067a3; --alarm: #fff3e0;
  --alarm-edge: #d55e00;
  --blue: #0072b2; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --paper: #14181d;
  --muted: #9aa5b1; --faint: #3c4652; --panel: #1d232a; --accent: #6cb8ea;
  --alarm: #33261a; --alarm-edge: #e8833a;
  --blue: #3f9fd8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 64rem; color: var(--ink);
  background: var(--paper); font: 16px/1.55 system-ui, -apple-system, "Segoe UI",
  Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .6rem; padding-bottom: .25rem;
  border-bottom: 1px solid var(--faint); }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
p { margin: .5rem 0; max-width: 46rem; }
a { color: var(--accent); }
nav { color: var(--muted); font-size: .9rem; margin-bottom: 1.4rem; }
figure { margin: 1rem 0 1.2rem; color: var(--ink); }
figure svg { width: auto; max-width: 100%; height: auto; display: block; }
figcaption, .caption, .note, small { color: var(--muted); font-size: .86rem; }
figcaption { max-width: 46rem; margin-top: .4rem; }
small { color: inherit; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums;
  width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .38rem .8rem .38rem 0;
  border-bottom: 1px solid var(--faint); }
th { color: var(--muted); font-weight: 600; white-space: nowrap; }
td { white-space: nowrap; }
.choices { display: block; min-width: 15rem; white-space: normal; }
code, pre { font: .86em/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, monospace; }
pre { background: var(--panel); padding: .8rem; overflow-x: auto; }
.alarm { background: var(--alarm); border-left: 4px solid var(--alarm-edge);
  padding: .8rem 1rem; margin: 1.2rem 0; }
.alarm ul { margin: 0; padding-left: 1.1rem; }
.member { background: var(--panel); padding: .9rem 1rem; margin: .8rem 0;
  break-inside: avoid; }
.member figure { margin: 0; }
@media print { :root { --ink: #000; --paper: #fff; --muted: #444; --faint: #bbb;
  --panel: #fff; --alarm: #fff; } body { max-width: none; font-size: 11pt; padding: 0; }
  nav, details { display: none; } figure, table { break-inside: avoid; } }
"""

_PARTS = (
    members.front,
    members.architectures,
    sections.search,
    sections.training,
    partition,
    ranking.ranking,
    sections.next_steps,
    sections.method,
    sections.limits,
)
# Of a search in a table, where nothing was trained.
_TABLE_PARTS = (
    table_sections.front,
    members.architectures,
    table_sections.regrets,
    sections.search,
    table_sections.next_steps,
    table_sections.method,
    table_sections.limits,
)
_TITLES = {
    "front": "Front",
    "architectures": "Architectures",
    "regret": "Regret",
    "search": "Search",
    "training": "Training",
    "partition": "Sub-supernets",
    "ranking": "Ranking",
    "next": "Next",
    "method": "Method",
    "limits": "Limits",
}


def write_report(workdir: str | os.PathLike[str]) -> Path:
    """Write `report.html` from the files of a workdir.

    Args:
      workdir: the folder of a run; stages that did not run yet are left out.

    Returns:
      The page.

    Raises:
      UserError: there is no such folder, or it holds no `config.json`.
      StorageError: the disk refuses.
    """
    path = Workdir(workdir, exclusive=False).report
    write_text_atomic(path, report_page(read_record(workdir)))
    return path


def report_page(record: Record) -> str:
    """Write the page.

    Args:
      record: of a workdir.

    Returns:
      HTML, always the same for the same record.
    """
    name = str(record.config.get("name", "a run"))
    table = table_sections.is_table(record)
    opening = table_sections.opening if table else sections.opening
    parts = [part(record) for part in (_TABLE_PARTS if table else _PARTS)]
    anchors = [
        tag("a", title, href=f"#{identity}")
        for identity, title in _TITLES.items()
        if any("<h2>" in part and f' id="{identity}"' in part for part in parts)
    ]
    body = join(
        [
            tag("h1", f"Architecture search: {name}"),
            tag("nav", join(anchors, " · ")),
            opening(record),
            *parts,
        ],
        "\n",
    )
    return document(f"{name}: architecture search", body)


def document(title: str, body: Html) -> str:
    """Write a whole page in the style of all of them.

    Args:
      title: plain text.
      body: what it shows.

    Returns:
      HTML that needs no other file.
    """
    head = join(
        [
            Html('<meta charset="utf-8">'),
            Html(
                '<meta name="viewport" content="width=device-width, initial-scale=1">'
            ),
            tag("title", title),
            tag("style", Html(_STYLE)),
        ]
    )
    content = join([tag("head", head), tag("body", body)], "\n")
    return f"<!DOCTYPE html>\n{tag('html', content, lang='en')}\n"
