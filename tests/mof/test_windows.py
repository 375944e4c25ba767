"""What we make of a class's MOF source beside what Windows 11 stored when it compiled the same class.

The shared data names 110 classes whose source is in the corpus and whose compiled form is in a Windows repository.
Two decoders of that repository are the oracle for two thirds of them: names, types, keys and qualifiers must agree.
Neither decoder gives flavors or methods.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from tests.mof import corpus
from tests.mof.preprocessor import preprocessed

from openwmi import mof
from openwmi.model import ClassDeclaration, type_name
from openwmi.model.errors import MofError
from openwmi.model.qualifiers import AMENDED, QualifierSet
from openwmi.mof.resolution import Resolution

pytestmark = [pytest.mark.usefixtures("shared_data"), pytest.mark.slow]

ISCSI = "ms-driver-samples/storage/iscsi/src/"
HW = "ms-classic-samples/Samples/Win7Samples/sysmgmt/winrm/hardwaremanagement/hw.mof"
LINUX = "ms-dsc-linux/LCM/dsc/"

# Constants of header files that the corpus lacks. Their values only show as qualifier values, which are not compared.
HEADERS = {
    "GENERATE_HEADER": "TRUE",
    "ISCSI_DIGEST_CPPQUOTE": '""',
    "ISCSI_DIGEST_TYPE_CRC32C": "1",
    "ISCSI_DIGEST_TYPE_NONE": "1",
    "ISCSI_LOGIN_FLAGS_CPPQUOTE": '""',
    "ISCSI_LOGIN_OPTIONS_INFO_CPPQUOTE": '""',
    "ISCSI_SECURITY_FLAGS_CPPQUOTE": '""',
    "MAX_ISCSI_NAME_LEN": "1",
    "MAX_ISCSI_TEXT_ADDRESS_LEN": "1",
    "MODULE_HEADER": '""',
}
FROM_HEADERS = frozenset(
    ("maxlen", "max", "cpp_quote", "headername", "definevalues", "valuemap", "wmigenerateheader")
)

# The decoders' names for dictionary qualifiers; dissect knows 4 (write) as None.
ORACLE_NAMES = {
    "CLASS_QUALIFIER_DYNAMIC": "dynamic",
    "CLASS_QUALIFIER_PROVIDER": "provider",
    "None": "write",
    "PROP_QUALIFIER_KEY": "key",
    "PROP_QUALIFIER_READ_ACCESS": "read",
    "PROP_QUALIFIER_TYPE": "cimtype",
}

# The Windows schema of another version than this source: only what both have is compared.
OTHER_VERSION = {
    LINUX + "engine/mof/": "written for Linux, without translated text and provider",
    LINUX + "mof/MSFT_PartialConfiguration.mof": "written for Linux, without translated text",
    LINUX + "mof/OMI_ConfigurationDownloadManager.mof": "an earlier version",
    LINUX + "tests/": "written for Linux, without translated text and provider",
    "ms-dsc-linux/Providers/": "an earlier version",
    "ms-omi/": "a test schema with classes of the same names",
    "ps-mmi/": "a test schema with classes of the same names",
}
# The rest of what differs: (class, what): (only in the source, only in Windows).
EXPLAINED = {
    # Windows registers these for the IPMI provider; the sample leaves that to another file.
    **{
        (name, "qualifiers"): ([], ["dynamic", "locale", "provider", "uuid"])
        for name in (
            "AdminDomain",
            "ComputerSystem",
            "LogRecord",
            "NumericSensor",
            "RecordLog",
            "Sensor",
            "SystemSpecificCollection",
        )
    },
    # Versions of Desired State Configuration: 1.0 here, 2.0 in Windows 11.
    ("MSFT_DSCMetaConfiguration", "names"): (
        ["localconfigurationmanagerstate"],
        [
            "actionafterreboot",
            "agentid",
            "configurationdownloadmanagers",
            "debugmode",
            "lcmcompatibleversions",
            "lcmstate",
            "lcmstatedetail",
            "lcmversion",
            "maximumdownloadsizemb",
            "partialconfigurations",
            "reportmanagers",
            "resourcemodulemanagers",
            "signaturevalidationpolicy",
            "signaturevalidations",
            "statusretentiontimeindays",
        ],
    ),
    ("MSFT_KeyValuePair", "names"): (["key"], ["primary_key"]),
    ("OMI_BaseResource", "names"): (
        [],
        [
            "configurationname",
            "dependson",
            "modulename",
            "moduleversion",
            "psdscrunascredential",
            "resourceid",
            "sourceinfo",
        ],
    ),
}


@cache
def oracle(name: str) -> dict[tuple[str, str], dict[str, Any]]:
    path = corpus.DATA / "repo" / "win11-dissect" / f"oracle-{name}.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = (json.loads(line) for line in lines)
        return {(row["ns"].lower(), row["class"].lower()): row for row in rows if "class" in row}


@cache
def declared(path: str) -> dict[str, ClassDeclaration]:
    """The classes of a file, by lower-case name, up to what is refused."""
    text = mof.decode((corpus.MOF / path).read_bytes())
    if path.startswith(ISCSI):

        def include(name: str) -> str:
            return (corpus.MOF / ISCSI / name).read_text() if name.endswith(".mof") else ""

        text = preprocessed(text, HEADERS, include)
    directives = mof.parse(text, file=path, include=corpus.include)
    resolution = Resolution(directives, lambda _, __: None, lenient=True)
    found = {}
    for node in directives:
        try:
            step = resolution.step(node)
        except MofError as reason:
            assert "alias" in reason.source or "$" in reason.source  # dscinstance.mof: see corpus.json
            continue
        if step is not None and isinstance(step.item, ClassDeclaration):
            found[step.item.name.lower()] = step.item
    return found


def pairs() -> list[tuple[str, str, str]]:
    """(file, class, namespace) of every pair that the oracle covers."""
    rows = json.loads((corpus.MOF / "mof-vs-win11-repo.json").read_text())
    known = oracle("dissect")
    return [
        (row["mof"], row["class"], row["repo_ns"])
        for row in rows
        if (row["repo_ns"].lower(), row["class"].lower()) in known
    ]


def version_differs(path: str) -> bool:
    return any(path.startswith(prefix) for prefix in OTHER_VERSION)


def differences(
    class_: ClassDeclaration, stored: dict[str, Any], whole: bool
) -> Iterator[tuple[str, Any, Any]]:
    """(what, only in the source, only in Windows); not `whole`: names and qualifiers may be more on either side."""
    if whole and (class_.superclass or "").lower() != stored["super"].lower():
        yield "superclass", class_.superclass, stored["super"]
    ours = {one.name.lower(): one for one in class_.properties}
    theirs = {one["name"].lower(): one for one in stored["props"]}
    if whole and ours.keys() != theirs.keys():
        yield "names", sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys())
    if whole:
        yield from qualifier_differences("qualifiers", class_.qualifiers, stored["q"])
    for name in ours.keys() & theirs.keys():
        mine, its = ours[name], theirs[name]
        element, _, target = its["q"]["PROP_QUALIFIER_TYPE"].partition(":")
        type_ = element.lower() + ("[]" if its["arr"] else "")
        if type_name(mine.type) != type_:
            yield f"type of {name}", type_name(mine.type), type_
        if whole and (mine.reference or "").lower() != target.lower():
            yield f"class of {name}", mine.reference, target
        keyed = {"key", "PROP_QUALIFIER_KEY"} & {
            word.lower() if word.lower() == "key" else word for word in its["q"]
        }
        if mine.is_key != bool(keyed):
            yield f"key {name}", mine.is_key, bool(keyed)
        if whole:
            yield from qualifier_differences(f"qualifiers of {name}", mine.qualifiers, its["q"])


def qualifier_differences(
    what: str, ours: QualifierSet, stored: dict[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Translated text may have gone to the ms_409 namespace: an amended qualifier need not be there."""
    theirs = {ORACLE_NAMES.get(name, name).lower() for name in stored} - {"cimtype"}
    mine = {one.name.lower() for one in ours}
    missing = {one.name.lower() for one in ours if not one.flavor & AMENDED} - theirs
    if missing or theirs - mine:
        yield what, sorted(missing), sorted(theirs - mine)


@pytest.mark.req("A-009", "A-040", "A-041", "A-045", "A-120", "A-121", "C-10")
def test_names_types_keys_and_qualifiers_are_those_windows_stored() -> None:
    known = oracle("dissect")
    compared = properties = 0
    unexplained = []
    for path, name, namespace in pairs():
        class_ = declared(path)[name.lower()]
        stored = known[namespace.lower(), name.lower()]
        whole = not version_differs(path)
        compared += whole
        properties += len(class_.properties) if whole else 0
        found = list(differences(class_, stored, whole))
        unexplained += [(path, name, *one) for one in found if EXPLAINED.get((name, one[0])) != one[1:]]
    assert unexplained == []
    assert (compared, properties) == (53, 293)


@pytest.mark.req("A-106", "C-03", "C-04")
def test_qualifier_values_are_those_windows_stored() -> None:
    """Of the classes compiled from the same source; values that come from header files aside."""
    known = oracle("pythoncim")
    compared = 0
    unexplained = []
    for path, name, namespace in pairs():
        stored = known.get((namespace.lower(), name.lower()))
        if not path.startswith((ISCSI, HW)) or stored is None or "err" in stored:
            continue
        class_ = declared(path)[name.lower()]
        carriers = [(class_.qualifiers, stored["q"])]
        theirs = {one["name"].lower(): one["q"] for one in stored["props"]}
        carriers += [(one.qualifiers, theirs[one.name.lower()]) for one in class_.properties]
        for ours, its in carriers:
            values = {ORACLE_NAMES.get(key, key).lower(): value for key, value in its.items()}
            for one in ours:
                lower = one.name.lower()
                if lower not in values or lower in FROM_HEADERS:
                    continue
                mine = list(one.value) if isinstance(one.value, tuple) else one.value
                compared += 1
                if mine != values[lower]:
                    unexplained.append((name, one.name, mine, values[lower]))
    assert unexplained == []
    assert compared > 900, compared
