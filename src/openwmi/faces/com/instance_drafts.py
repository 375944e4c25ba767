"""An instance while a program edits it, without any COM (model.md A10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openwmi.model.errors import WbemError
from openwmi.model.instances import Extras, Instance
from openwmi.model.qualifiers import EMPTY, TO_INSTANCE, QualifierSet

if TYPE_CHECKING:
    from openwmi.model.classes import Property


class InstanceDraft:
    """An instance being edited."""

    __slots__ = ("_touched", "content")

    def __init__(self, instance: Instance) -> None:
        self.content = instance
        self._touched = 0  # one bit per property that was put, NULL included

    def clone(self) -> InstanceDraft:
        twin = InstanceDraft(self.content)
        twin._touched = self._touched
        return twin

    # Reading

    def member(self, name: str) -> tuple[object, int, bool] | None:
        """A property: its value, its type, and whether the value is the instance's own."""
        position = self.position(name)
        if position is None:
            return None
        return self.content.values_[position], self.content.layout_.types[position], self.changed(position)

    @property
    def names(self) -> list[str]:
        return list(self.content.layout_.names)

    def declared(self, name: str) -> Property | None:
        """What the class says of a property; None where the class is not known."""
        class_ = self.content.class_
        return None if class_ is None else class_.property(name)

    def is_key(self, name: str) -> bool:
        return self.position(name) in self.content.layout_.keys

    def position(self, name: str) -> int | None:
        return self.content.layout_.index.get(name.lower())

    def changed(self, position: int) -> bool:
        """Whether the instance has a value of its own there: "local" (A-200)."""
        instance = self.content
        if self._touched >> position & 1:
            return True
        return not instance.defaults_ >> position & 1 and instance.values_[position] is not None

    def put(self, position: int, raw: object) -> None:
        instance = self.content
        values = list(instance.values_)
        values[position] = raw
        self._touched |= 1 << position
        defaults = instance.defaults_ & ~(1 << position)
        self.content = Instance(instance.layout_, tuple(values), defaults, instance.extras_)

    def reset(self, position: int) -> None:
        """Back to the default of the class (A-050)."""
        instance = self.content
        declared = self.declared(instance.layout_.names[position])
        values = list(instance.values_)
        values[position] = None if declared is None else declared.default
        self._touched &= ~(1 << position)
        defaults = instance.defaults_ | 1 << position
        self.content = Instance(instance.layout_, tuple(values), defaults, instance.extras_)

    # Qualifiers: those of the class that reach instances, with the instance's own over them

    @property
    def extras(self) -> Extras:
        return self.content.extras_ or Extras()

    def qualifiers(self) -> QualifierSet:
        class_ = self.content.class_
        return self.extras.qualifiers.inherited_from(
            EMPTY if class_ is None else class_.qualifiers, TO_INSTANCE
        )

    def property_qualifiers(self, name: str) -> QualifierSet:
        declared = self.declared(name)
        above = EMPTY if declared is None else declared.qualifiers
        return self.extras.properties.get(name.lower(), EMPTY).inherited_from(above, TO_INSTANCE)

    def inherited_property_qualifiers(self, name: str) -> QualifierSet:
        declared = self.declared(name)
        return EMPTY if declared is None else declared.qualifiers.passed_on(TO_INSTANCE)

    # What an instance inherits shows again by itself, so that nothing has to be restored.

    def put_qualifiers(self, local: QualifierSet, restored: QualifierSet) -> None:
        self._with(Extras(local, self.extras.properties))

    def put_property_qualifiers(self, name: str, local: QualifierSet, restored: QualifierSet) -> None:
        self._with(Extras(self.extras.qualifiers, {**self.extras.properties, name.lower(): local}))

    def _with(self, extras: Extras) -> None:
        instance = self.content
        before = instance.extras_
        self.content = Instance(instance.layout_, instance.values_, instance.defaults_, extras)
        try:
            self.qualifiers()
            for name in extras.properties:
                self.property_qualifiers(name)
        except WbemError:
            self.content = Instance(instance.layout_, instance.values_, instance.defaults_, before)
            raise
