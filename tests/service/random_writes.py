"""Random writes to a store: the next one follows from a seed and from what the store holds, so that a test knows it.

As a program it carries them out through the service and says so of each, until it is killed:
`python -m tests.service.random_writes STORE SEED`.
"""

from __future__ import annotations

import random
import sys
from typing import NamedTuple

from openwmi import mof
from openwmi.contract import operations as ops
from openwmi.contract.flags import WBEM_FLAG_UPDATE_FORCE_MODE
from openwmi.host import Host
from openwmi.model.classes import derive
from openwmi.service.oneshot import OneShot

NAMESPACE = "root\\default"
KEYS = 6


class Write(NamedTuple):
    """One transaction: what, on which class, instance or namespace, and with which content."""

    kind: str
    name: str
    key: int = 0
    text: str = ""


class Content:
    """What a store holds: classes with their superclass and version, instances with class and text, namespaces."""

    def __init__(self) -> None:
        self.classes: dict[str, tuple[str | None, int]] = {}
        self.instances: dict[tuple[str, int], tuple[str, str]] = {}
        self.namespaces: set[str] = set()

    def copy(self) -> Content:
        made = Content()
        made.classes = dict(self.classes)
        made.instances = dict(self.instances)
        made.namespaces = set(self.namespaces)
        return made

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Content({vars(self)})"

    def root_of(self, name: str) -> str:
        above = self.classes[name][0]
        return name if above is None else self.root_of(above)

    def below(self, name: str) -> list[str]:
        return [one for one, (above, _) in self.classes.items() if above == name]

    def next(self, chance: random.Random) -> Write:
        """A write that this content allows."""
        names = sorted(self.classes)
        kinds = ["class+", "namespace+"]
        if names:
            kinds += ["class+", "instance", "instance", "instance", "class~", "class-"]
        if self.instances:
            kinds += ["instance-", "instance-"]
        if self.namespaces:
            kinds += ["namespace-"]
        kind = chance.choice(kinds)
        if kind == "class+":
            above = chance.choice([*names, None, None])
            return Write(kind, f"K{chance.randrange(10**6)}", text=above or "")
        if kind in ("class~", "class-"):
            return Write(kind, chance.choice(names))
        if kind == "instance":
            name = chance.choice(names)
            return Write(kind, name, chance.randrange(KEYS), "x" * chance.randrange(3000))
        if kind == "instance-":
            root, key = chance.choice(sorted(self.instances))
            return Write(kind, self.instances[root, key][0], key)
        if kind == "namespace+":
            return Write(kind, f"N{chance.randrange(10**6)}")
        return Write(kind, chance.choice(sorted(self.namespaces)))

    def refuses(self, write: Write) -> bool:
        """Whether the rules refuse the write: a sibling has the key, or a class in use would change."""
        if write.kind == "instance":
            there = self.instances.get((self.root_of(write.name), write.key))
            return there is not None and there[0] != write.name
        if write.kind == "class~":
            used = any(class_ == write.name for class_, _ in self.instances.values())
            return used or bool(self.below(write.name))
        return False

    def apply(self, write: Write) -> None:
        if write.kind == "class+":
            self.classes[write.name] = (write.text or None, 0)
        elif write.kind == "class~":
            above, version = self.classes[write.name]
            self.classes[write.name] = (above, version + 1)
        elif write.kind == "class-":
            for name in self.below(write.name):
                self.apply(write._replace(name=name))
            self.instances = {key: one for key, one in self.instances.items() if one[0] != write.name}
            del self.classes[write.name]
        elif write.kind == "instance":
            self.instances[self.root_of(write.name), write.key] = (write.name, write.text)
        elif write.kind == "instance-":
            del self.instances[self.root_of(write.name), write.key]
        elif write.kind == "namespace+":
            self.namespaces.add(write.name)
        else:
            self.namespaces.remove(write.name)


def declaration(name: str, above: str | None, version: int) -> str:
    own = "[key] uint32 Id; string Text; " if above is None else ""
    more = " ".join(f"uint32 {name}V{number};" for number in range(version))
    return f"class {name}{f' : {above}' if above else ''} {{ {own}{more} }};"


def perform(wmi: OneShot, write: Write, content: Content) -> None:
    """Carry a write out through the service. `content`: what is there before."""
    schema = wmi.space.schema
    if write.kind in ("class+", "class~"):
        above = (write.text or None) if write.kind == "class+" else content.classes[write.name][0]
        version = 0 if write.kind == "class+" else content.classes[write.name][1] + 1
        parent = None if above is None else schema.class_named(above)
        (declared,) = mof.class_declarations(declaration(write.name, above, version))
        made = derive(declared, parent)
        wmi.write(ops.PutClass(made), WBEM_FLAG_UPDATE_FORCE_MODE if write.kind == "class~" else 0)
    elif write.kind == "class-":
        wmi.write(ops.DeleteClass(write.name))
    elif write.kind == "instance":
        values = {"Id": write.key, "Text": write.text}
        wmi.write(ops.PutInstance(schema.class_named(write.name).spawn(values)))
    elif write.kind == "instance-":
        wmi.write(ops.DeleteInstance(f"{write.name}.Id={write.key}"))
    elif write.kind == "namespace+":
        wmi.write(ops.PutInstance(schema.class_named("__Namespace").spawn({"Name": write.name})))
    else:
        wmi.write(ops.DeleteInstance(f'__Namespace.Name="{write.name}"'))


def found(wmi: OneShot) -> Content:
    """What a store holds."""
    content = Content()
    schema = wmi.space.schema
    for class_ in schema.classes():
        if class_.name.startswith("K"):
            own = sum(name.startswith(f"{class_.name.lower()}v") for name in class_.properties)
            content.classes[class_.name] = (class_.superclass, own)
    for name in content.classes:
        for one in wmi.space.static_instances(schema.class_named(name)):
            content.instances[content.root_of(name), one.Id] = (name, one.Text)
    content.namespaces = {name for name in wmi.space.children() if name.startswith("N")}
    return content


def main(store: str, seed: str) -> None:
    wmi = Host(store).one_shot(NAMESPACE)
    content = found(wmi)
    chance = random.Random(int(seed))
    while True:
        write = content.next(chance)
        if content.refuses(write):
            continue
        perform(wmi, write, content)
        content.apply(write)
        sys.stdout.write(".")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
