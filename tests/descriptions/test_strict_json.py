import pytest

from laketag.pipeline.descriptions.strict_json import decode_text, read_json
from laketag.pipeline.errors import InputError


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"cat": [\n"a" "b"]}', "FILE, line 2, column 5: not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"cat": ["\\ud800"], "dog": ["b"]}', "half of a surrogate pair"),
        ("cat\ndog".encode("utf-16"), "is UTF-16 text"),
        (b"cat\nd\xf6g", "FILE, line 2: byte 5 (0xf6) is not UTF-8"),
    ],
)
def test_broken_text_and_json_are_refused_with_the_place(content: bytes, says: str) -> None:
    with pytest.raises(InputError) as error:
        read_json(decode_text(content, "FILE"), "FILE")
    assert says in str(error.value)
    assert "FILE" in str(error.value)


def test_a_byte_order_mark_is_not_part_of_the_text() -> None:
    assert decode_text(b"\xef\xbb\xbfcat", "FILE") == "cat"


def test_the_values_of_a_repeated_key_are_joined_and_the_key_is_named():
    value, repeated = read_json('{"cat": ["a"], "dog": "c", "cat": ["b"], "dog": null}', "FILE")
    assert value == {"cat": ["a", "b"], "dog": ["c", None]}
    assert repeated == ("cat", "dog")
