"""Who may do what in a namespace: the descriptor of each, and the rights that a caller gets from it (calls.md I).

A descriptor is kept as SECURITY_DESCRIPTOR of the namespace's own __thisNAMESPACE, without the entries that come from
above: those are put together anew from the namespaces above it as they are now (I13). What is kept of encryption is the
qualifier of its __SystemSecurity (I24).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openwmi.contract import flags as f
from openwmi.contract.caller import RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, RPC_C_AUTHN_LEVEL_PKT_PRIVACY
from openwmi.model import descriptors as d
from openwmi.model import sids
from openwmi.model.descriptors import Ace, Acl, SecurityDescriptor
from openwmi.model.instances import Extras, Instance
from openwmi.model.qualifiers import Qualifier, QualifierSet
from openwmi.model.sids import Sid
from openwmi.service.limits import REQUIRES_ENCRYPTION, SECURITY, THIS

if TYPE_CHECKING:
    from openwmi.contract.caller import Caller
    from openwmi.repository.repository import Change
    from openwmi.service.namespaces import Namespace, Namespaces

DESCRIPTOR: Final = "SECURITY_DESCRIPTOR"
READING: Final = f.WBEM_ENABLE | f.WBEM_REMOTE_ACCESS | f.WBEM_RIGHT_SUBSCRIBE | f.READ_CONTROL
_SINGLETON: Final = "@"
_INHERITED_DACL: Final = d.CONTAINER_INHERIT
# What everybody who may log on gets (I8), and the same with Remote Enable, for the accounts of this program.
USERS_MASK: Final = f.WBEM_ENABLE | f.WBEM_METHOD_EXECUTE | f.WBEM_WRITE_PROVIDER
ACCOUNTS_MASK: Final = USERS_MASK | f.WBEM_REMOTE_ACCESS


def _entry(mask: int, sid: Sid) -> Ace:
    return Ace(d.ALLOWED, _INHERITED_DACL, mask, sid)


# What root has until somebody says otherwise (I7, I8, I9); everything below inherits it.
DEFAULT: Final = SecurityDescriptor(
    sids.ADMINISTRATORS,
    sids.ADMINISTRATORS,
    Acl(
        (
            _entry(f.ALL_NAMESPACE_RIGHTS, sids.ADMINISTRATORS),
            _entry(USERS_MASK, sids.NETWORK_SERVICE),
            _entry(USERS_MASK, sids.LOCAL_SERVICE),
            _entry(USERS_MASK, sids.AUTHENTICATED_USERS),
            _entry(ACCOUNTS_MASK, sids.REMOTE_MANAGEMENT_USERS),
        )
    ),
    control=d.SE_SELF_RELATIVE | d.SE_DACL_PRESENT,
)
EMPTY: Final = DEFAULT._replace(dacl=Acl())
# Nobody but administrators, whatever the namespaces above say: no mark would keep out what is inherited (I12).
CLOSED: Final = DEFAULT._replace(
    dacl=Acl(
        (
            _entry(f.ALL_NAMESPACE_RIGHTS, sids.ADMINISTRATORS),
            Ace(d.DENIED, 0, f.ALL_NAMESPACE_RIGHTS, sids.EVERYONE),
        )
    ),
    control=d.SE_SELF_RELATIVE | d.SE_DACL_PRESENT | d.SE_DACL_PROTECTED,
)


def sids_of(caller: Caller) -> frozenset[Sid]:
    """Everything that an entry may name to mean this caller."""
    return frozenset(Sid.parse(one) for one in (caller.sid, *caller.groups))


def is_administrator(caller: Caller) -> bool:
    """Whether a caller holds every right, whatever a descriptor says (I4): the owner of the store is one, too."""
    return not caller.remote or str(sids.ADMINISTRATORS) in caller.groups


class Access:
    """The descriptors of all namespaces. Usable from any thread.

    read_only: nobody who comes over the network may change anything, or run methods, whatever descriptors say.
    """

    __slots__ = ("_effective", "_encrypted", "_namespaces", "read_only")

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces
        self.read_only = False
        self._effective: dict[str, SecurityDescriptor] = {}
        self._encrypted: dict[str, bool] = {}
        namespaces.repository.listen(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change.kind[:-1] == "event":
            return
        if change.kind[:-1] == "instance" and change.class_name.lower() not in (THIS, SECURITY):
            return
        if not change.kind.startswith("class"):
            # New tables: what another thread is just working out goes into the old ones.
            self._effective, self._encrypted = {}, {}

    # Reading

    def descriptor(self, path: str) -> SecurityDescriptor:
        """What is in force: the namespace's own entries, then those it inherits (I11)."""
        known, key = self._effective, path.lower()
        found = known.get(key)
        if found is None:
            found = known[key] = self._combined(path)
        return found

    def own(self, path: str) -> SecurityDescriptor:
        """What was set for this namespace itself."""
        stored = self._stored(path, THIS)
        data = stored.raw_(DESCRIPTOR) if stored is not None else None
        if data:
            return SecurityDescriptor.decode(bytes(data))
        return EMPTY if "\\" in path else DEFAULT

    def requires_encryption(self, path: str) -> bool:
        """Whether a namespace admits packet privacy only (A12)."""
        known, key = self._encrypted, path.lower()
        found = known.get(key)
        if found is None:
            stored = self._stored(path, SECURITY)
            extras = stored.extras_ if stored is not None else None
            found = extras is not None and extras.qualifiers.truth(REQUIRES_ENCRYPTION)
            known[key] = found
        return found

    def least_level(self, path: str) -> int:
        """The lowest authentication level at which calls over the network are taken."""
        if self.requires_encryption(path):
            return RPC_C_AUTHN_LEVEL_PKT_PRIVACY
        return RPC_C_AUTHN_LEVEL_PKT_INTEGRITY

    def granted(self, caller: Caller, path: str) -> int:
        """The rights that a caller has in a namespace now (A13)."""
        if not caller.remote:
            return caller.granted
        most = READING if self.read_only else f.ALL_NAMESPACE_RIGHTS
        if is_administrator(caller):
            return most
        return d.allowed(self.descriptor(path), sids_of(caller), most)

    def _combined(self, path: str) -> SecurityDescriptor:
        own = self.own(path)
        above, _, _ = path.rpartition("\\")
        if not above:
            return own
        parent = self.descriptor(above)
        control = parent.control
        dacl = () if control & d.SE_DACL_PROTECTED else d.inherited(parent.dacl)
        sacl = () if control & d.SE_SACL_PROTECTED else d.inherited(parent.sacl)
        own = own._replace(dacl=_appended(own.dacl, dacl), sacl=_appended(own.sacl, sacl))
        return own._replace(control=own.control | d.SE_DACL_PRESENT | (d.SE_SACL_PRESENT if own.sacl else 0))

    def _stored(self, path: str, name: str) -> Instance | None:
        space = self._namespaces.find(path)
        if space is None or self._namespaces.repository.existing is None:
            return None
        class_ = space.schema.class_named(name)
        return self._namespaces.repository.instance(
            space.path, class_, space.schema.find_class, root=name, ident=_SINGLETON
        )

    # Writing

    def store(self, space: Namespace, descriptor: SecurityDescriptor) -> None:
        """Keep a descriptor without what it inherits (I17)."""
        own = descriptor._replace(
            dacl=without_inherited(descriptor.dacl), sacl=without_inherited(descriptor.sacl)
        )
        self._put(space, THIS, {DESCRIPTOR: tuple(own.encode())})

    def require_encryption(self, space: Namespace, required: bool) -> None:
        qualifier = Qualifier(REQUIRES_ENCRYPTION, required, 11)
        self._put(space, SECURITY, {}, Extras(QualifierSet((qualifier,))))

    def _put(self, space: Namespace, name: str, values: dict[str, Any], extras: Extras | None = None) -> None:
        instance = space.schema.class_named(name).spawn(values)
        made = Instance(instance.layout_, instance.values_, instance.defaults_, extras)
        repository = self._namespaces.repository.opened()
        repository.put_instance(space.path, made, root=name, ident=_SINGLETON, indexed={})
        self._namespaces.refresh()


def without_inherited(acl: Acl | None) -> Acl | None:
    if acl is None:
        return None
    return acl._replace(aces=tuple(ace for ace in acl.aces if not ace.flags & d.INHERITED))


def _appended(own: Acl | None, more: tuple[Ace, ...]) -> Acl | None:
    if own is None:
        return Acl(more) if more else None
    return own._replace(aces=own.aces + more)
