"""Objects as bytes: [MS-WMIO], for the wire and for the repository files of Windows. Nothing here does I/O.

`decode(data)` and `encode(object)` are one encoding unit each. A :class:`Decoder` per result is faster where every
object brings its class along. `arrays` has the packets of the smart enumerator, in which classes travel once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.wmio.objects import LACKS_KEY, PROTOTYPE, Decoder, decode_class, encode

if TYPE_CHECKING:
    from openwmi.model.classes import Class
    from openwmi.model.instances import Instance


def decode(data: bytes) -> Class | Instance:
    """The object of one encoding unit; see :meth:`Decoder.decode`."""
    return Decoder().decode(data)


__all__ = ["LACKS_KEY", "PROTOTYPE", "Decoder", "decode", "decode_class", "encode"]
