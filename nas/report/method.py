"""The section of a page that says how its numbers were made."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nas.report.html import Html, section, table, tag


def method_section(
    sentences: Sequence[str],
    facts: Sequence[tuple[str, Any]],
    summary: str,
    settings: Mapping[str, Any],
) -> Html:
    """Show what was done in words, facts in a table, and settings folded away.

    Args:
      sentences: a paragraph each.
      facts: what each is of, and what it is.
      summary: what the settings are, to unfold them by.
      settings: a JSON object.

    Returns:
      The section.
    """
    text = json.dumps(settings, indent=1, ensure_ascii=False)
    return section(
        "method",
        "How the numbers were made",
        *(tag("p", sentence) for sentence in sentences),
        table((), facts),
        tag("details", tag("summary", summary), tag("pre", text)),
    )


def versions_text(config: Mapping[str, Any]) -> str:
    """Write the packages of a `config.json` and their versions."""
    versions = config.get("versions") or {}
    return ", ".join(f"{name} {version}" for name, version in versions.items())
