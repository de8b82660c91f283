"""Transparent pictures, and every other of Pillow's modes with 8 bits, as opaque colours."""

from PIL import Image

WHITE = (255, 255, 255)
TRANSPARENT_MODES = {"RGBA", "RGBa", "LA", "La", "PA"}
OPAQUE_MODES = {"1": "L", "L": "L", "LA": "L", "La": "L", "CMYK": "CMYK", "LAB": "LAB"}
"""The opaque mode for a mode, RGB where it is not listed. Inks and Lab become RGB by a profile, later."""


def over_white(image: Image.Image) -> Image.Image:
    """The picture in mode L, RGB, CMYK or LAB, with white behind its transparent parts."""
    mode = OPAQUE_MODES.get(image.mode, "RGB")
    if image.mode not in TRANSPARENT_MODES and "transparency" not in image.info:
        return image if image.mode == mode else image.convert(mode)
    pixels = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    ground = Image.new("RGB", pixels.size, WHITE)
    ground.paste(pixels, mask=pixels.getchannel("A"))
    return ground.convert(mode)
