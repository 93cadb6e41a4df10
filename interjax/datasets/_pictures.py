"""One picture from its bytes: JPEG or PNG to 8-bit red, green and blue, upright."""

import io
import struct
import warnings
from typing import Any

import numpy as np

MOST_PIXELS = 2048 * 2048
_SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L")


def decode(name: str, data: bytes) -> np.ndarray:
    """The pixels, uint8 (height, width, 3), of a JPEG or PNG.

    Turned as its EXIF orientation says; 16-bit grey becomes round(level / 257); grey is repeated in each channel.

    Args:
        name: what the picture is called in messages.
        data: the file.

    Raises:
        ValueError: a damaged picture, one of more than MOST_PIXELS (found before it is unpacked), or one that is
            transparent somewhere.
        ImportError: without pillow installed.
    """
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise ImportError('reading images needs pillow: pip install "interjax[cli]"') from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        if image.width * image.height <= MOST_PIXELS:
            ImageOps.exif_transpose(image, in_place=True)
            image.load()
    except Image.DecompressionBombError:
        raise _too_large(name, "far too many") from None
    except UnidentifiedImageError:
        raise ValueError(
            f"{name} is a damaged image: expected a PNG or JPEG, got {len(data)} bytes of something else; download it "
            "again"
        ) from None
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise ValueError(f"{name} is a damaged image ({error}): expected a PNG or JPEG; download it again") from error
    if image.width * image.height > MOST_PIXELS:
        raise _too_large(name, f"{image.height}x{image.width}")
    return _levels(name, image)


def _levels(name: str, image: Any) -> np.ndarray:
    if image.mode in _SIXTEEN_BITS and "transparency" not in image.info:
        grey = np.asarray(image).astype(np.uint32)
        return np.repeat(((grey + 128) // 257).astype(np.uint8)[..., None], 3, axis=-1)
    if image.has_transparency_data:
        least, _ = image.convert("RGBA").getchannel("A").getextrema()
        if least < 255:
            raise ValueError(
                f"{name} is transparent in parts, where it has no colour: paste it on a background before it is read"
            )
    return np.asarray(image.convert("RGB"))


def _too_large(name: str, size: str) -> ValueError:
    side = round(MOST_PIXELS**0.5)
    return ValueError(f"{name} has {size} pixels, more than the {side}x{side} that are read: resize the images first")
