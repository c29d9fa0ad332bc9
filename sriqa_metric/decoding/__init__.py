"""Opening image files: what Pillow leaves undone on cut, deep, turned and transparent ones.

EXIF orientation is applied; palette, CMYK, YCbCr, LAB and HSV become RGB; opaque alpha is dropped
and any transparency is composited on white; of an animation the first frame is read. A file that
is cut off, empty, oversized or no image is an `ImageError`.

No global state of Pillow is changed, and none of it decides: a file that is cut off is an error
even where the user has set `ImageFile.LOAD_TRUNCATED_IMAGES`, and `Image.MAX_IMAGE_PIXELS` is not
consulted. One exception: for WebP (and odd GIFs) Pillow itself refuses more than twice that
(179 megapixels, unless set otherwise), which is an `ImageError` that says so.

16-bit colour is read with all its bits from PNG and TIFF; JPEG 2000, AVIF and PPM of more than 8
bits per colour channel come from Pillow as 8-bit, as do premultiplied TIFF, and a PIL image that is
already loaded.

Whether all rows are there is asked of what the container declares (`containers`, `jpeg`) and of
what the decoder used (`completeness`). That is for files: a PIL image is what Pillow makes of it.
"""

from .files import FORMATS, Source, decode_file, is_source
from .pixels import MAX_BYTES, decode, deep, eight_bits

__all__ = [
    "FORMATS",
    "MAX_BYTES",
    "Source",
    "decode",
    "decode_file",
    "deep",
    "eight_bits",
    "is_source",
]
