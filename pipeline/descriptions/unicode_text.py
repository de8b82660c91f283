"""One form for names and texts that look alike, so that a difference nobody sees makes no difference."""

import re
import unicodedata

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "\u0000-\u0008\u000e-\u001b\u007f-\u0084\u0086-\u009f]"
)
"""Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt: zero-width characters, byte order marks, soft hyphens,
marks of writing direction, variation selectors), and control characters that are not white space."""


def normalise_text(text: str) -> str:
    """The name or text in Unicode form NFC, without invisible characters, on one line with single spaces.

    Folders of macOS are decomposed (NFD), for example, and their names are the same classes as those in a file.
    """
    return " ".join(unicodedata.normalize("NFC", INVISIBLE.sub("", text)).split())
