"""The catalogue equals the .mof files, and what families read equals what their classes declare."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest
from tests.providers.questions import class_named, columns_of, declarations, request

from openwmi import providers
from openwmi.model.errors import WbemError
from openwmi.model.status import WBEM_E_PROVIDER_NOT_CAPABLE
from openwmi.providers import CLASSES
from openwmi.providers.cimwin32 import CimWin32
from openwmi.providers.linux import processes

ROOM = Path(providers.__file__).parent
FAMILIES = sorted(path.stem for path in ROOM.glob("*.mof"))
READ = sorted((name, entry.module) for name, entry in CLASSES.items() if entry.module)
read_classes = pytest.mark.parametrize(("name", "module"), READ, ids=[name for name, _ in READ])


def test_the_catalogue_is_what_the_files_declare() -> None:
    declared = {
        name: (one.superclass, family) for family in FAMILIES for name, one in declarations(family).items()
    }
    assert {name: (entry.superclass, entry.family) for name, entry in CLASSES.items()} == declared


def test_a_superclass_stands_before_its_subclasses() -> None:
    """So that one pass over a file can resolve it (C-24)."""
    for family in FAMILIES:
        seen: set[str] = set()
        for name, one in declarations(family).items():
            above = CLASSES.get((one.superclass or "").lower())
            if above is not None and above.family == family:
                assert str(one.superclass).lower() in seen, (family, name)
            assert above is not None or not one.superclass or one.superclass.startswith("__")
            seen.add(name)


def test_exactly_the_dynamic_classes_have_a_module() -> None:
    dynamic = {name for name in CLASSES if class_named(name).qualifiers.truth("dynamic")}
    assert {name for name, entry in CLASSES.items() if entry.module} == dynamic
    assert {str(class_named(name).provider).lower() for name in dynamic} <= set(providers.PROVIDERS)


def test_the_provider_is_found_by_its_name_in_any_case() -> None:
    one = providers.provider("CIMWin32")
    assert one is not None
    assert one.name == "CIMWin32"
    assert providers.provider("cimwin32") is one
    assert providers.provider("NoSuchProvider") is None
    for name in providers.PROVIDERS:
        found = providers.provider(name)
        assert found is not None
        assert found.name.lower() == name
        assert hasattr(found, "provide_events") == (name in providers.RAISING)


@read_classes
def test_a_property_is_read_or_said_to_be_null(name: str, module: str) -> None:
    """The docstring of a family lists what stays NULL: nothing is forgotten, and nothing listed is read."""
    table = processes.COLUMNS if module == "process" else import_module(f"openwmi.providers.{module}").COLUMNS
    computed = {"LoadPercentage"} if module == "processor" else set()
    text = ast.get_docstring(ast.parse((ROOM / f"{module}.py").read_text("utf-8"))) or ""
    listed = set(re.findall(r"\w+", text[text.index("NULL always") :].split("\nNULL without")[0]))
    listed |= {"DataExecutionPrevention" + word for word in listed if word.startswith("_")}
    declared = set(columns_of(class_named(name)))
    assert set(table) <= declared
    assert declared - set(table) - computed - listed == set()
    assert (set(table) | computed) & listed == set()


def test_instances_of_a_class_without_any_are_refused() -> None:
    for name in ("CIM_Process", "Win32_ProcessStartup"):
        with pytest.raises(WbemError) as refused:
            CimWin32().instances(request(name))
        assert refused.value.code == WBEM_E_PROVIDER_NOT_CAPABLE


@pytest.mark.req("G-01", "A-122")
def test_only_key_qualifiers_make_keys() -> None:
    keys = {name: class_named(name).keys for name, _ in READ}
    assert keys == {
        "cim_datafile": ("Name",),
        "win32_computersystem": ("Name",),
        "win32_directory": ("Name",),
        "win32_environment": ("Name", "UserName"),
        "win32_logicaldisk": ("DeviceID",),
        "win32_localtime": (),
        "win32_ntlogevent": ("RecordNumber", "Logfile"),
        "win32_operatingsystem": (),
        "win32_process": ("Handle",),
        "win32_processor": ("DeviceID",),
        "win32_service": ("Name",),
        "win32_utctime": (),
    }
    assert class_named("Win32_OperatingSystem").is_singleton
    assert class_named("Win32_Process").property("CSName").qualifiers.truth("CIM_Key")


@pytest.mark.req("G-60")
@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("Win32_Process", "AttachDebugger"),
        ("Win32_OperatingSystem", "Win32Shutdown"),
        ("Win32_ComputerSystem", "Rename"),
        ("Win32_LogicalDisk", "Chkdsk"),
        ("Win32_Processor", "Reset"),
        ("Win32_Environment", "Anything"),
    ],
)
def test_what_this_host_cannot_do_is_not_capable(name: str, method: str) -> None:
    with pytest.raises(WbemError) as refused:
        CimWin32().method(request(name), method, {"Handle": "1"}, {})
    assert refused.value.code == WBEM_E_PROVIDER_NOT_CAPABLE
