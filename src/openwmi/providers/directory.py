"""Win32_Directory on Linux: directories, as CIM_DataFile shows files (G-45; see openwmi.providers.datafile).

Links to directories are directories, too, but nobody looks into them. FileType is "File Folder".

NULL always: AccessMask, Archive, CompressionMethod, EightDotThreeFileName, EncryptionMethod, FileSize, InUseCount,
System.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.providers import datafile

if TYPE_CHECKING:
    from collections.abc import Callable

    from openwmi.providers.datafile import File

COLUMNS: Final[dict[str, Callable[[File], object]]] = {
    **datafile.COLUMNS,
    "CreationClassName": lambda file: "Win32_Directory",
    "FileType": lambda file: "File Folder",
}
del COLUMNS["FileSize"]


class Directories(datafile.LogicalFiles):
    """Win32_Directory."""

    columns = COLUMNS
    directory = True


family = Directories
