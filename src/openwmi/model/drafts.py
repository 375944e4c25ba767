"""Objects while a program edits them, as IWbemClassObject and IWbemQualifierSet do (model.md A6, A10).

The model is immutable. A draft starts from an object, is changed part by part, and `freeze` gives the changed one. What
a method refuses it raises as the WbemError of that code; where a success has several codes, it returns the code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.model.classdrafts import ClassDraft
from openwmi.model.classes import Class
from openwmi.model.comparing import compare
from openwmi.model.instancedrafts import InstanceDraft
from openwmi.model.listing import Entry
from openwmi.model.qualifierdrafts import QualifierDraft

if TYPE_CHECKING:
    from openwmi.model.instances import Instance

__all__ = ["ClassDraft", "Entry", "InstanceDraft", "QualifierDraft", "compare", "draft"]


def draft(content: Class | Instance, parent: Class | None = None) -> ClassDraft | InstanceDraft:
    """The draft for an object that came from a service; `parent` is the superclass of a class, where it is at hand."""
    return ClassDraft(content, parent) if isinstance(content, Class) else InstanceDraft(content)
