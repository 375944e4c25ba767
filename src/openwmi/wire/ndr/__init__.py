"""NDR20, the transfer syntax of all calls: types declared as small objects, each with its reading and its writing.

[C706] chapter 14, [MS-RPCE] 2.2.4 and 2.2.6 (type serialization version 1).
"""

from openwmi.wire.ndr.arrays import (
    ByteArray,
    ConformantArray,
    ConformantVaryingArray,
    FixedArray,
    VaryingArray,
    WideString,
)
from openwmi.wire.ndr.pointers import Full, Ref, Unique
from openwmi.wire.ndr.serialization import deserialize, serialize
from openwmi.wire.ndr.streams import NdrReader, NdrWriter
from openwmi.wire.ndr.structures import Count, Parameters, Reserved, Structure
from openwmi.wire.ndr.types import BOOL, GUID, INT16, INT32, UINT8, UINT16, UINT32, UINT64, Type

__all__ = [
    "BOOL",
    "GUID",
    "INT16",
    "INT32",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "ByteArray",
    "ConformantArray",
    "ConformantVaryingArray",
    "Count",
    "FixedArray",
    "Full",
    "NdrReader",
    "NdrWriter",
    "Parameters",
    "Ref",
    "Reserved",
    "Structure",
    "Type",
    "Unique",
    "VaryingArray",
    "WideString",
    "deserialize",
    "serialize",
]
