"""What can be managed: one module per family of classes, its .mof beside it; this file is the catalogue.

The catalogue repeats, for every class of the .mof files, where it stands in the tree and who reads its instances, so
that a class and its relatives are found without parsing every file. A test proves that it equals the files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import TypeAlias

    from openwmi.providers.cimwin32 import CimWin32
    from openwmi.providers.fileevents import DataFileEvents
    from openwmi.providers.processtrace import KernelTrace
    from openwmi.providers.serviceevents import ServiceEvents
    from openwmi.providers.volumechange import VolumeChangeEvents

    Shipped: TypeAlias = CimWin32 | DataFileEvents | KernelTrace | ServiceEvents | VolumeChangeEvents

NAMESPACE = "root\\cimv2"


class Entry(NamedTuple):
    """Where a class comes from: its superclass, the .mof file that declares it, the module that reads instances."""

    superclass: str | None
    family: str
    module: str | None


# Lower-case class name -> Entry. A class without a module has no instances of its own.
CLASSES: dict[str, Entry] = {
    "cim_managedsystemelement": Entry(None, "cim", None),
    "cim_logicalelement": Entry("CIM_ManagedSystemElement", "cim", None),
    "cim_systemresource": Entry("CIM_LogicalElement", "cim", None),
    "cim_setting": Entry(None, "cim", None),
    "scriptingstandardconsumersetting": Entry("CIM_Setting", "scripting", None),
    "cim_logicaldevice": Entry("CIM_LogicalElement", "device", None),
    "cim_storageextent": Entry("CIM_LogicalDevice", "device", None),
    "cim_process": Entry("CIM_LogicalElement", "process", None),
    "win32_process": Entry("CIM_Process", "process", "process"),
    "win32_methodparameterclass": Entry(None, "process", None),
    "win32_processstartup": Entry("Win32_MethodParameterClass", "process", None),
    "cim_operatingsystem": Entry("CIM_LogicalElement", "operatingsystem", None),
    "win32_operatingsystem": Entry("CIM_OperatingSystem", "operatingsystem", "operatingsystem"),
    "cim_system": Entry("CIM_LogicalElement", "computersystem", None),
    "cim_computersystem": Entry("CIM_System", "computersystem", None),
    "cim_unitarycomputersystem": Entry("CIM_ComputerSystem", "computersystem", None),
    "win32_computersystem": Entry("CIM_UnitaryComputerSystem", "computersystem", "computersystem"),
    "cim_logicaldisk": Entry("CIM_StorageExtent", "logicaldisk", None),
    "win32_logicaldisk": Entry("CIM_LogicalDisk", "logicaldisk", "logicaldisk"),
    "cim_processor": Entry("CIM_LogicalDevice", "processor", None),
    "win32_processor": Entry("CIM_Processor", "processor", "processor"),
    "win32_environment": Entry("CIM_SystemResource", "environment", "environment"),
    "win32_currenttime": Entry(None, "localtime", None),
    "win32_localtime": Entry("Win32_CurrentTime", "localtime", "localtime"),
    "win32_utctime": Entry("Win32_CurrentTime", "localtime", "localtime"),
    "win32_systemtrace": Entry("__ExtrinsicEvent", "processtrace", None),
    "win32_processtrace": Entry("Win32_SystemTrace", "processtrace", None),
    "win32_processstarttrace": Entry("Win32_ProcessTrace", "processtrace", None),
    "win32_processstoptrace": Entry("Win32_ProcessTrace", "processtrace", None),
    "win32_ntlogevent": Entry(None, "ntlogevent", "ntlogevent"),
    "cim_service": Entry("CIM_LogicalElement", "service", None),
    "win32_baseservice": Entry("CIM_Service", "service", None),
    "win32_service": Entry("Win32_BaseService", "service", "service"),
    "cim_logicalfile": Entry("CIM_LogicalElement", "datafile", None),
    "cim_datafile": Entry("CIM_LogicalFile", "datafile", "datafile"),
    "cim_directory": Entry("CIM_LogicalFile", "datafile", None),
    "win32_directory": Entry("CIM_Directory", "datafile", "directory"),
    "win32_devicechangeevent": Entry("__ExtrinsicEvent", "volumechange", None),
    "win32_volumechangeevent": Entry("Win32_DeviceChangeEvent", "volumechange", None),
}

# Lower-case name of a provider -> its module and the class there.
PROVIDERS: dict[str, tuple[str, str]] = {
    "cimwin32": ("cimwin32", "CimWin32"),
    "win32clockprovider": ("localtime", "Win32ClockProvider"),
    "wmi kernel trace event provider": ("processtrace", "KernelTrace"),
    "volumechangeevents": ("volumechange", "VolumeChangeEvents"),
    "ms_nt_eventlog_provider": ("ntlogevent", "NTEventLog"),
    "serviceevents": ("serviceevents", "ServiceEvents"),
    "datafileevents": ("fileevents", "DataFileEvents"),
}
# Those that raise events.
RAISING: tuple[str, ...] = (
    "win32clockprovider",
    "wmi kernel trace event provider",
    "volumechangeevents",
    "ms_nt_eventlog_provider",
    "serviceevents",
    "datafileevents",
)

_instances: dict[str, Shipped] = {}


def load_mof(family: str) -> str:
    """The MOF text of a family: the classes that CLASSES files under its name."""
    with open(f"{__file__.rpartition('/')[0]}/{family}.mof", encoding="utf-8") as file:
        return file.read()


def provider(name: str) -> Shipped | None:
    """The provider that a class names in its Provider qualifier, made on first use; None when it is not one of ours."""
    key = name.lower()
    found = _instances.get(key)
    if found is None and key in PROVIDERS:
        from importlib import import_module

        module, class_name = PROVIDERS[key]
        made: Shipped = getattr(import_module(f"openwmi.providers.{module}"), class_name)()
        found = _instances.setdefault(key, made)
    return found
