"""`openwmi sec`: who may do what in a namespace over the network, in plain words or as SDDL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openwmi.cli.actions import chosen
from openwmi.cli.options import Argument, Misuse, Option
from openwmi.contract import flags as f
from openwmi.model import descriptors as d
from openwmi.model.cimtypes import CimType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from openwmi.cli.console import Console
    from openwmi.cli.options import Options
    from openwmi.cli.trustees import Trustees
    from openwmi.host import Host
    from openwmi.model.descriptors import Ace, SecurityDescriptor
    from openwmi.model.sids import Sid
    from openwmi.service.namespaces import Namespace

EXAMPLES = """
openwmi sec show root/cimv2
openwmi sec show root/cimv2 alice
openwmi sec grant root/cimv2 alice partial-write
openwmi sec revoke root alice remote-enable
openwmi sec show root/cimv2 --sddl
openwmi sec set root/cimv2 "O:BAG:BAD:(A;CI;CCDCWP;;;AU)"
openwmi sec encrypt root/cimv2
"""

LOCAL = True
ARGUMENTS = (
    Argument("action", "ACTION", "show NS [WHO], grant|revoke NS WHO RIGHT ..., set NS SDDL, encrypt NS"),
    Argument("where", "NS", "the namespace"),
    Argument(
        "words",
        "WORD",
        "an account, unix:USER, unix-group:GROUP, Everyone or a SID; then rights",
        many=True,
        optional=True,
    ),
)
OPTIONS = (
    Option("sddl", "show: as SDDL, without what is inherited"),
    Option("here", "grant, revoke: in this namespace alone, not in those below it"),
    Option("off", "encrypt: take connections without packet privacy again"),
)
RIGHTS: Final = {name: bit for bit, name in f.RIGHT_NAMES.items() if bit & f.ALL_NAMESPACE_RIGHTS}
# These go together in one entry (calls.md I18).
_FULL_WRITE: Final = f.WBEM_FULL_WRITE_REP | f.WBEM_PARTIAL_WRITE_REP | f.WBEM_WRITE_PROVIDER
_COLUMNS: Final = ("Who", "May", "Rights", "Where", "From")


def run(options: Options, console: Console) -> int:
    """Do one of the actions on the store of OPENWMI_HOME; other processes see it at their next log-on."""
    action = chosen("sec", options.action, _ACTIONS)
    from openwmi.host import local

    host = local()
    return action(options, console, host, host.namespaces.named(options.where))


def _trustees() -> Trustees:
    from openwmi.accounts import Accounts
    from openwmi.cli.trustees import Trustees
    from openwmi.host import home

    return Trustees(Accounts(home()))


def _show(options: Options, console: Console, host: Host, space: Namespace) -> int:
    from openwmi.model import sddl

    access = host.namespaces.access
    if options.sddl:
        if options.words:
            raise Misuse("show --sddl takes a namespace and nothing else")
        console.write(f"{sddl.printed(access.own(space.path))}\n")
        return 0
    trustees = _trustees()
    if options.words:
        if len(options.words) > 1:
            raise Misuse("show takes a namespace and one name")
        return _tell(console, space, trustees, trustees.sid(options.words[0]))
    found = access.descriptor(space.path)
    _print(options, console, trustees, found)
    console.note(
        f"owner {trustees.name(found.owner)}; administrators may do everything, whatever stands here"
    )
    console.note(f"packet privacy is {'' if access.requires_encryption(space.path) else 'not '}required")
    return 0


def _print(options: Options, console: Console, trustees: Trustees, descriptor: SecurityDescriptor) -> None:
    from openwmi.cli.formats import writer_for

    output = writer_for(options.output, console, objects=False)
    output.begin(_COLUMNS)
    entries = descriptor.dacl.aces if descriptor.dacl is not None else ()
    rows = [_row(trustees, ace) for ace in entries]
    output.records((int(CimType.STRING),) * len(_COLUMNS), rows)
    output.end()


def _row(trustees: Trustees, ace: Ace) -> tuple[str, ...]:
    below = "this namespace and below" if ace.flags & d.CONTAINER_INHERIT else "this namespace"
    return (
        trustees.name(ace.sid),
        "not" if ace.type == d.DENIED else "yes",
        f.right_names(ace.mask),
        "below" if ace.flags & d.INHERIT_ONLY else below,
        "above" if ace.flags & d.INHERITED else "here",
    )


def _tell(console: Console, space: Namespace, trustees: Trustees, sid: Sid) -> int:
    """One right a line: what somebody may do, all told."""
    rights = space.namespaces.access.granted(trustees.caller(sid), space.path)
    names = [name for name, bit in RIGHTS.items() if rights & bit]
    console.write("".join(f"{name}\n" for name in names))
    if not names:
        console.note(f"{trustees.name(sid)} may do nothing in {space.path}")
    return 0


def _who_and_what(options: Options, trustees: Trustees) -> tuple[Sid, int]:
    if len(options.words) < 2:
        raise Misuse(f"{options.action} needs a name and at least one right: {', '.join((*RIGHTS, 'all'))}")
    who, *names = options.words
    return trustees.sid(who), _mask(names)


def _mask(names: Sequence[str]) -> int:
    mask = 0
    for name in names:
        if name.lower() == "all":
            mask |= f.ALL_NAMESPACE_RIGHTS
        elif name.lower() in RIGHTS:
            mask |= RIGHTS[name.lower()]
        else:
            from openwmi.cli.suggestions import closest

            likely = closest(name, RIGHTS)
            said = f"did you mean {likely}?" if likely else f"there are {', '.join((*RIGHTS, 'all'))}"
            raise Misuse(f"{name} is no right: {said}")
    return mask


def _grant(options: Options, console: Console, host: Host, space: Namespace) -> int:
    from openwmi.model.granting import granted

    trustees = _trustees()
    sid, mask = _who_and_what(options, trustees)
    if mask & f.WBEM_FULL_WRITE_REP:
        mask |= _FULL_WRITE
    _change(host, space, lambda own: own._replace(dacl=granted(_list(own), sid, mask, flags=_flags(options))))
    return _tell_changed(console, space, trustees, sid)


def _revoke(options: Options, console: Console, host: Host, space: Namespace) -> int:
    """What still comes from a group or from above is kept away by an entry that denies it."""
    from openwmi.model.granting import denied, revoked

    trustees = _trustees()
    sid, mask = _who_and_what(options, trustees)
    if mask & _FULL_WRITE:
        mask |= f.WBEM_FULL_WRITE_REP  # which includes the others
    _change(host, space, lambda own: own._replace(dacl=revoked(_list(own), sid, mask)))
    left = host.namespaces.access.granted(trustees.caller(sid), space.path) & mask
    if left:
        _change(
            host, space, lambda own: own._replace(dacl=denied(_list(own), sid, left, flags=_flags(options)))
        )
    _tell_changed(console, space, trustees, sid)
    prefix = f"{space.path}\\".lower()
    for below in host.namespaces.spaces():
        if below.path.lower().startswith(prefix) and not options.here:
            stays = host.namespaces.access.granted(trustees.caller(sid), below.path) & mask
            if stays:
                console.note(f"{below.path} itself still gives: {f.right_names(stays)}")
    return 0


def _list(own: SecurityDescriptor) -> d.Acl:
    return own.dacl if own.dacl is not None else d.Acl()


def _flags(options: Options) -> int:
    return 0 if options.here else d.CONTAINER_INHERIT


def _change(host: Host, space: Namespace, change: Callable[[SecurityDescriptor], SecurityDescriptor]) -> None:
    from openwmi.service.systemsecurity import check

    access = host.namespaces.access
    new = change(access.own(space.path))
    check(new)
    access.store(space, new)


def _tell_changed(console: Console, space: Namespace, trustees: Trustees, sid: Sid) -> int:
    rights = f.right_names(space.namespaces.access.granted(trustees.caller(sid), space.path))
    console.note(f"{trustees.name(sid)} in {space.path} now: {rights or 'nothing'}")
    return 0


def _set(options: Options, console: Console, host: Host, space: Namespace) -> int:
    from openwmi.model.sids import InvalidDescriptor
    from openwmi.service.systemsecurity import from_sddl

    if len(options.words) != 1:
        raise Misuse("set needs a namespace and SDDL, as one word")
    try:
        new = from_sddl(options.words[0])
    except InvalidDescriptor as reason:
        raise Misuse(str(reason)) from None
    host.namespaces.access.store(space, new)
    console.note(f"{space.path} has a new security descriptor")
    return 0


def _encrypt(options: Options, console: Console, host: Host, space: Namespace) -> int:
    if options.words:
        raise Misuse("encrypt takes a namespace and nothing else")
    host.namespaces.access.require_encryption(space, not options.off)
    console.note(f"{space.path} {'no longer requires' if options.off else 'requires'} packet privacy")
    return 0


_ACTIONS = {"show": _show, "grant": _grant, "revoke": _revoke, "set": _set, "encrypt": _encrypt}
