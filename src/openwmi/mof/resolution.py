"""What a parsed MOF text means: its classes, instances and deletions, one by one, ready to be put (C-14 to C-27).

:class:`Resolution` keeps what the text has settled so far (namespace, flags, declared qualifiers, aliases, classes)
and turns one directive after the other into a :class:`Step`. It asks for a class of the store only where an instance
needs one. A caller that must wait for the answer lets `find` raise, fetches the class and makes the same step again:
a step changes nothing before it is complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from openwmi.model import status as s
from openwmi.model.classes import derive
from openwmi.model.errors import WbemError
from openwmi.model.instances import Extras, Instance
from openwmi.model.paths import relpath_of
from openwmi.mof import pragmas
from openwmi.mof.declaring import Declarer
from openwmi.mof.initialising import Initialiser
from openwmi.mof.pragmas import DeleteClass, DeleteInstance
from openwmi.mof.qualifying import Qualifying
from openwmi.mof.syntax import Alias, ClassNode, InstanceNode, Pragma, QualifierDeclaration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openwmi.model.classes import Class, ClassDeclaration
    from openwmi.mof.syntax import Directive, Node

    FindClass = Callable[[str, str], Class | None]

MAX_FORWARD: Final = 64
"""Longest chain of keys that are aliases of objects not yet stored."""

_INSTANCE: Final = frozenset(("instance", "class"))
_PROPERTY: Final = frozenset(("property", "reference"))
DEFAULT_NAMESPACE: Final = "root\\default"
"""Where a text goes that names no namespace (C-18)."""


class Step(NamedTuple):
    """One thing to do in the store: put an object with these flags, or delete one."""

    namespace: str
    flags: int
    item: ClassDeclaration | Instance | DeleteClass | DeleteInstance


class _Aliased:
    """An alias: who declares it, in which namespace, and the path once it is known."""

    __slots__ = ("namespace", "node", "path", "resolving")

    def __init__(self, node: ClassNode | InstanceNode, namespace: str) -> None:
        self.node = node
        self.namespace = namespace
        self.path: str | None = None
        self.resolving = False


class _UnknownClass(Exception):
    """A lenient resolution met an instance of a class that is not known."""


class Resolution:
    """The state of one compilation. find(namespace, name) gives a class of the store or None.

    lenient: an instance whose class nobody knows is passed over instead of refused (a check without a store).
    system: classes may have names that begin with two underscores (C-26 otherwise).
    """

    __slots__ = (
        "_ahead",
        "_aliases",
        "_classes",
        "_declared",
        "_declarer",
        "_find",
        "_forward",
        "_initialiser",
        "_qualifying",
        "amendment",
        "autorecover",
        "class_flags",
        "directives",
        "instance_flags",
        "lenient",
        "namespace",
        "server",
        "system",
    )

    def __init__(
        self,
        directives: list[Directive],
        find: FindClass,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        server: str | None = None,
        class_flags: int = 0,
        instance_flags: int = 0,
        lenient: bool = False,
        system: bool = False,
    ) -> None:
        self.directives = directives
        self.namespace = namespace
        self.server = server
        self.class_flags = class_flags
        self.instance_flags = instance_flags
        self.lenient = lenient
        self.system = system
        self.autorecover = False
        self.amendment: str | None = None
        self._find = find
        self._qualifying = Qualifying()
        self._initialiser = Initialiser(self._embedded, self._alias_path)
        self._declarer = Declarer(self._qualifying, self._initialiser)
        self._declared: dict[tuple[str, str], ClassDeclaration] = {}
        self._classes: dict[tuple[str, str], Class] = {}
        self._aliases: dict[str, _Aliased] = {}
        self._ahead: dict[tuple[str, str], ClassNode] = {}
        self._forward = 0
        self._scan()

    # -- what the caller drives ----------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Step]:
        for node in self.directives:
            step = self.step(node)
            if step is not None:
                yield step

    def step(self, node: Directive) -> Step | None:
        """What this directive, the next one in order, asks of the store; None when it only changes the state."""
        try:
            return self._step(node)
        except _UnknownClass:
            return None

    def _step(self, node: Directive) -> Step | None:
        if isinstance(node, ClassNode):
            declared = self._class_step(node)
            return None if declared is None else Step(self.namespace, self.class_flags, declared)
        if isinstance(node, InstanceNode):
            return Step(self.namespace, self.instance_flags, self._instance(node))
        if isinstance(node, QualifierDeclaration):
            self._qualifying.declare(node)
            return None
        return self._pragma(node)

    def stored(self, node: Directive, path: str | None) -> None:
        """Where the store has put the object of this node: the only way to know a key that was generated (A-262)."""
        alias = node.alias if isinstance(node, InstanceNode | ClassNode) else None
        if alias is not None and path:
            self._aliases[alias.lower()].path = path

    # -- pragmas -------------------------------------------------------------------------------------------------

    def _pragma(self, node: Pragma) -> Step | None:
        name = node.name
        if name == "namespace":
            self.namespace = pragmas.namespace(node, self.server)
        elif name == "classflags":
            self.class_flags = pragmas.flags(node, pragmas.CLASS_WORDS)
        elif name == "instanceflags":
            self.instance_flags = pragmas.flags(node, pragmas.INSTANCE_WORDS)
        elif name == "autorecover":
            self.autorecover = True
        elif name == "amendment":
            if self.amendment is not None:
                raise node.error(s.WBEMMOF_E_INVALID_DUPLICATE_AMENDMENT, "amendment is written twice")
            self.amendment = pragmas.amendment(node)
        elif name == "include":
            message = "files cannot be included here"
            raise node.error(s.WBEMMOF_E_ERROR_INVALID_INCLUDE_FILE, message)
        elif name in ("deleteclass", "deleteinstance"):
            item = pragmas.deletion(node)
            if isinstance(item, DeleteClass):
                key = self.namespace.lower(), item.name.lower()
                self._declared.pop(key, None)
                self._classes.clear()
            return Step(self.namespace, 0, item)
        return None

    # -- classes -------------------------------------------------------------------------------------------------

    def _class_step(self, node: ClassNode) -> ClassDeclaration | None:
        key = self.namespace.lower(), node.name.lower()
        if node.bare:
            if (
                key not in self._declared
                and not self.lenient
                and self._find(self.namespace, node.name) is None
            ):
                message = f"class {node.name} has no body and does not exist"
                raise node.error(s.WBEMMOF_E_INVALID_CLASS_DECLARATION, message)
            return None
        if node.name.startswith("__") and not self.system:
            raise node.error(
                s.WBEM_E_INVALID_OPERATION, f"{node.name}: names that begin with __ are reserved"
            )
        declaration = self._declarer.declaration(node)
        if key in self._declared:
            self._classes.clear()  # what was derived from the former declaration
        self._declared[key] = declaration
        return declaration

    def class_of(self, node: Node, namespace: str, name: str) -> Class | None:
        """A class by name: as this text declares it, else as the store has it."""
        line: list[ClassDeclaration] = []
        above: Class | None = None
        wanted: str | None = name
        known = set()
        while wanted is not None:
            key = namespace.lower(), wanted.lower()
            above = self._classes.get(key)
            declaration = self._declared.get(key)
            if declaration is None and self._forward and key in self._ahead:
                declaration = self._declarer.declaration(self._ahead[key])
            if above is not None or declaration is None:
                break
            if key in known:
                raise node.error(s.WBEM_E_CIRCULAR_REFERENCE, f"class {wanted} is its own ancestor")
            known.add(key)
            line.append(declaration)
            wanted = declaration.superclass
        if above is None and wanted is not None:
            above = self._find(namespace, wanted)
            if above is None:
                return None
        for declaration in reversed(line):
            try:
                above = derive(declaration, above, namespace=namespace, server=self.server)
            except WbemError as reason:
                raise node.error(reason.code, reason.message) from None
            if (key := (namespace.lower(), declaration.name.lower())) in self._declared:
                self._classes[key] = above
        return above

    # -- instances -----------------------------------------------------------------------------------------------

    def _instance(self, node: InstanceNode) -> Instance:
        class_ = self._class_of_instance(node, self.namespace)
        seen: set[str] = set()
        values: dict[str, object] = {}
        for one in node.assignments:
            lower = one.name.lower()
            if lower in seen:
                raise one.error(s.WBEMMOF_E_DUPLICATE_PROPERTY, f"{one.name} is set twice")
            seen.add(lower)
            found = class_.property(one.name)
            if found is None:
                raise one.error(s.WBEM_E_NOT_FOUND, f"class {class_.name} has no property {one.name}")
            values[found.name] = self._initialiser.value(one, found.type, found.reference)
        try:
            made = class_.spawn(values)
        except WbemError as reason:
            raise node.error(reason.code, reason.message) from None

        extras = self._extras(node)
        return made if extras is None else Instance(made.layout_, made.values_, made.defaults_, extras)

    def _extras(self, node: InstanceNode) -> Extras | None:
        """The qualifiers of the instance itself and of its properties (A-112); None without any."""
        own = self._qualifying.on_instance(node.qualifiers, _INSTANCE)
        properties = {
            one.name.lower(): self._qualifying.on_instance(one.qualifiers, _PROPERTY)
            for one in node.assignments
            if one.qualifiers
        }
        return Extras(own, properties) if len(own) or properties else None

    def _class_of_instance(self, node: InstanceNode, namespace: str) -> Class:
        found = self.class_of(node, namespace, node.class_name)
        if found is not None:
            return found
        if self.lenient:
            raise _UnknownClass
        raise node.error(s.WBEM_E_INVALID_CLASS, f"there is no class {node.class_name} in {namespace}")

    def _embedded(self, node: InstanceNode | ClassNode) -> Instance | Class:
        if isinstance(node, InstanceNode):
            return self._instance(node)
        declaration = self._declarer.declaration(node)
        above = None
        if declaration.superclass is not None:
            above = self.class_of(node, self.namespace, declaration.superclass)
            if above is None and self.lenient:
                raise _UnknownClass
            if above is None:
                message = f"there is no class {declaration.superclass} in {self.namespace}"
                raise node.error(s.WBEM_E_INVALID_SUPERCLASS, message)
        try:
            return derive(declaration, above)
        except WbemError as reason:
            raise node.error(reason.code, reason.message) from None

    # -- aliases -------------------------------------------------------------------------------------------------

    def _scan(self) -> None:
        """Note all aliases and classes of the text, so that an alias may be used before it is declared (C-14)."""
        namespace = self.namespace
        for node in self.directives:
            if isinstance(node, Pragma):
                if node.name == "namespace":
                    namespace = pragmas.namespace(node, self.server)
            elif isinstance(node, InstanceNode | ClassNode):
                if isinstance(node, ClassNode) and not node.bare:
                    self._ahead.setdefault((namespace.lower(), node.name.lower()), node)
                if node.alias is None:
                    continue
                lower = node.alias.lower()
                if lower in self._aliases:
                    raise node.error(s.WBEMMOF_E_MULTIPLE_ALIASES, f"the alias ${node.alias} is used twice")
                self._aliases[lower] = _Aliased(node, namespace)

    def _alias_path(self, alias: Alias) -> str:
        """The full path of the object that declares an alias."""
        entry = self._aliases.get(alias.name.lower())
        if entry is None:
            raise alias.error(s.WBEMMOF_E_UNEXPECTED_ALIAS, f"nothing has the alias ${alias.name}")
        if entry.path is None:
            if entry.resolving:
                raise alias.error(
                    s.WBEM_E_CIRCULAR_REFERENCE, f"the key of ${alias.name} leads back to itself"
                )
            if self._forward >= MAX_FORWARD:
                message = f"more than {MAX_FORWARD} keys refer to each other by alias"
                raise alias.error(s.WBEM_E_QUOTA_VIOLATION, message)
            entry.resolving = True
            self._forward += 1
            try:
                relative = self._relative_path(alias, entry)
            finally:
                entry.resolving = False
                self._forward -= 1
            entry.path = f"\\\\{self.server or '.'}\\{entry.namespace}:{relative}"
        return entry.path

    def _relative_path(self, alias: Alias, entry: _Aliased) -> str:
        """The path of an aliased object from its keys alone, so that objects may refer to each other in circles."""
        node = entry.node
        if isinstance(node, ClassNode):
            return node.name
        class_ = self._class_of_instance(node, entry.namespace)
        given = {one.name.lower(): one for one in node.assignments}
        types, values = [], []
        for name in class_.keys:
            key = class_.properties[name.lower()]
            one = given.get(name.lower())
            types.append(key.type)
            values.append(self._initialiser.value(one, key.type, key.reference) if one else key.default)
        relative = f"{class_.name}=@" if class_.is_singleton else None
        if class_.keys and None not in values:
            relative = relpath_of(class_.name, class_.keys, tuple(types), tuple(values))
        if relative is None:
            message = f"${alias.name} has no path: not all keys of {class_.name} are given"
            raise alias.error(s.WBEMMOF_E_UNEXPECTED_ALIAS, message)
        return relative
