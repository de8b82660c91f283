"""Pages carry their style and script, escape every text, and allow nothing else."""

import base64
import hashlib
import re

import pytest
from jinja2 import UndefinedError

from laketag.pipeline.pages import page
from laketag.pipeline.pages.page import render_page

HOSTILE = "</script><img src=x onerror=alert(1)>\"' {{ 7 * 7 }} \u202e"


def test_the_policy_names_the_style_and_the_script_by_their_hashes_and_allows_no_other() -> None:
    made = render_page("base.html", {}, scripts=["report.js"])
    html = made.html.decode()
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in made.policy
    assert "default-src 'none'" in made.policy
    assert "unsafe" not in made.policy
    assert "'self'" not in made.policy
    assert "connect-src 'none'" in made.policy


def test_a_page_from_a_server_may_call_it_and_nothing_else() -> None:
    policy = render_page("base.html", {}, from_server=True).policy
    assert "connect-src 'self'" in policy
    assert "img-src data: 'self'" in policy
    assert "script-src 'none'" in policy


def test_no_template_has_a_style_or_a_handler_in_an_attribute() -> None:
    """The policy forbids both, so that what they do would silently not be done."""
    for template in (page.FOLDER / "templates").iterdir():
        text = template.read_text()
        assert not re.search(r"""\s(style|on\w+)\s*=\s*["'{]""", text), template
        assert "| safe" not in text, template


def test_no_style_and_no_script_can_end_its_element_early() -> None:
    for file in page.FOLDER.glob("*.[cj]s*"):
        assert not re.search(r"</|<!--", file.read_text()), file


def test_every_text_is_escaped_and_a_lacking_one_is_an_error() -> None:
    environment = page._environment()
    assert environment.from_string("{{ it }}").render(it=HOSTILE).startswith("&lt;/script&gt;&lt;img")
    assert '"' not in environment.from_string("{{ it }}").render(it=HOSTILE)
    with pytest.raises(UndefinedError, match="it"):
        environment.from_string("{{ it }}").render()
