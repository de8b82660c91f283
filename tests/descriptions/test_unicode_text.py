import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.descriptions.unicode_text import normalise_text


@pytest.mark.parametrize(
    "written",
    [
        "Café",
        "Cafe\u0301",  # as macOS names folders
        "\ufeffCafé",
        "Ca\u200bf\u200de\u2060\u0301",
        "\u200eCafé\u200f",
        "\u202aCafé\u202c",
        "Ca\u00adfé",
        "Café\ufe0f",
        " \u00a0Café\t\u3000",
        "Café\x00\x07",
    ],
)
def test_names_that_look_alike_are_the_same(written: str) -> None:
    assert normalise_text(written) == "Café"


def test_words_stay_apart_and_letters_are_not_replaced() -> None:
    assert normalise_text("hot\u00a0 dog\n") == "hot dog"
    assert normalise_text("ﬁsh") == "ﬁsh"  # NFKC would change it
    assert normalise_text("क्षि 猫 🐈") == "क्षि 猫 🐈"


@given(st.text())
def test_a_normalised_text_is_nfc_and_stays_as_it_is(text: str) -> None:
    once = normalise_text(text)
    assert unicodedata.is_normalized("NFC", once)
    assert normalise_text(once) == once
