"""A whole page in one text: a template with its style and scripts inside, and a policy under which nothing else runs or loads."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from laketag.pipeline.pages.wording import FILTERS

FOLDER = Path(__file__).parent
STYLE = "style.css"
"""Colours, type and pictures with boxes, which all pages share."""


@dataclass(frozen=True)
class Page:
    """A page, and the Content-Security-Policy that it carries in a meta element; a server sends it as a header too."""

    html: bytes
    policy: str


def render_page(
    template: str,
    facts: Mapping[str, object],
    *,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    from_server: bool = False,
) -> Page:
    """The template with these facts, every text of which is escaped.

    ``styles`` and ``scripts`` are files of this folder beside STYLE. A page ``from_server`` may also load pictures from the
    server that it came from, and call it.
    """
    style = "\n".join(_read(name) for name in (STYLE, *styles))
    script = "\n".join(_read(name) for name in scripts)
    none = "'none'"
    own = " 'self'" if from_server else ""
    policy = "; ".join(
        (
            "default-src 'none'",
            f"img-src data:{own}",
            f"style-src {_hash(style)}",
            f"script-src {_hash(script) if script else none}",
            f"connect-src{own or ' ' + none}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    # the style and the script are ours, and an escaped character would change their hashes
    whole = {**facts, "policy": policy, "style": Markup(style), "script": Markup(script)}
    return Page(_environment().get_template(template).render(whole).encode(), policy)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment


@cache
def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The text as a source of a policy: only an inline style or script with exactly this content is allowed."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
