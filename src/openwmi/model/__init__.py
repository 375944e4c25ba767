"""What WMI talks about: CIM types and values, datetimes, qualifiers, classes, instances, object paths."""

from __future__ import annotations

from openwmi.model.batches import Batch, Rows
from openwmi.model.cimtypes import ARRAY, CimType, type_name
from openwmi.model.classes import Class, ClassDeclaration, Method, Property, derive
from openwmi.model.datetimes import CimDateTime
from openwmi.model.errors import WbemError, WmiError, error
from openwmi.model.instances import Instance
from openwmi.model.layouts import Layout
from openwmi.model.paths import ObjectPath, parse_path
from openwmi.model.qualifiers import Qualifier, QualifierSet
from openwmi.model.values import coerce, present

__all__ = [
    "ARRAY",
    "Batch",
    "CimDateTime",
    "CimType",
    "Class",
    "ClassDeclaration",
    "Instance",
    "Layout",
    "Method",
    "ObjectPath",
    "Property",
    "Qualifier",
    "QualifierSet",
    "Rows",
    "WbemError",
    "WmiError",
    "coerce",
    "derive",
    "error",
    "parse_path",
    "present",
    "type_name",
]
