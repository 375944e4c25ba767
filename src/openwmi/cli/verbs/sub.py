"""`openwmi sub`: permanent subscriptions, that is a filter, a consumer and the binding of the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openwmi.cli import exits
from openwmi.cli.actions import chosen
from openwmi.cli.durations import duration
from openwmi.cli.options import Argument, Misuse, Option, count
from openwmi.cli.session import Session
from openwmi.model.errors import WbemError

if TYPE_CHECKING:
    from openwmi.cli.console import Console
    from openwmi.cli.options import Options
    from openwmi.model.instances import Instance

EXAMPLES = """
openwmi sub add timers --query "SELECT * FROM __TimerEvent" --log /var/log/timers.log --text "%TimerId% %NumFirings%"
openwmi sub add usb --query "SELECT * FROM Win32_VolumeChangeEvent" --command "/usr/local/bin/mounted %DriveName%"
openwmi sub add full --mail ops@example.org --smtp mail.example.org --query "SELECT * FROM \
__InstanceModificationEvent WITHIN 60 WHERE TargetInstance ISA 'Win32_LogicalDisk' AND TargetInstance.FreeSpace < 1000"
openwmi sub add --from subscription.mof
openwmi sub ls
openwmi sub test full
openwmi sub rm full
"""

LOCAL = True
ARGUMENTS = (
    Argument("action", "ACTION", "ls, add NAME, rm NAME, or test NAME"),
    Argument("name", "NAME", "of the filter or the consumer; add gives both this name", optional=True),
)
OPTIONS = (
    Option("query", "add: the event query; its namespace is that of -n", value="QUERY"),
    Option(
        "from",
        "add: store what a MOF file declares, in root/subscription unless it says otherwise",
        value="FILE",
    ),
    Option("log", "add: append a line to a file for each event", value="FILE"),
    Option(
        "max-size",
        "add --log: put the file aside when it is larger; 0 is never",
        value="BYTES",
        convert=count,
    ),
    Option("command", "add: start a program for each event; no shell comes between", value="CMD"),
    Option("directory", "add --command: the program's working directory", value="DIR"),
    Option("kill-after", "add --command: kill the program when it takes longer", value="D", convert=duration),
    Option("journal", "add: write an entry of the system's log for each event, as SOURCE", value="SOURCE"),
    Option("event-id", "add --journal: the number of the entry", value="N", default=1, convert=count),
    Option("type", "add --journal: error, warning or information", value="TYPE", default="information"),
    Option("mail", "add: send a message for each event", value="ADDRESS"),
    Option("smtp", "add --mail: the mail server, HOST or HOST:PORT", value="HOST", default="localhost"),
    Option("subject", "add --mail: the subject, a template", value="TEMPLATE"),
    Option(
        "text", "add: what to write, %Property% and %TargetInstance.Property% are put in", value="TEMPLATE"
    ),
    Option("replace", "add: in place of what is there under this name"),
    Option("dry-run", "add: print the objects as MOF and store nothing"),
    Option("yes", "rm: do not ask; without a terminal nobody is asked", short="y"),
)
_TYPES = {"error": 1, "warning": 2, "information": 4}
_KINDS = ("log", "command", "journal", "mail")
CREATE_ONLY = 2


def run(options: Options, console: Console) -> int:
    """Do one of the actions on the store of OPENWMI_HOME."""
    action = chosen("sub", options.action, _ACTIONS)
    from_file: str | None = vars(options)["from"]
    if (options.action == "ls" or from_file is not None) is (options.name is not None):
        raise Misuse(f"sub {options.action} {'takes no' if options.name else 'needs a'} NAME")
    return action(options, console)


def _session() -> Session:
    from openwmi.cli.permanent import NAMESPACE

    return Session(NAMESPACE)


# Adding


def _add(options: Options, console: Console) -> int:
    if vars(options)["from"] is not None:
        return _compile(options, console)
    if not options.query:
        raise Misuse("a subscription needs --query QUERY, or --from FILE")
    session = _session()
    consumer, values = _consumer(options)
    from openwmi.cli import permanent
    from openwmi.cli.storing import show_mof
    from openwmi.host import local

    about = {"Query": options.query, "EventNamespace": options.namespace.replace("/", "\\")}
    objects = permanent.instances(session, options.name, about, consumer, values)
    if options.dry_run:
        for one in objects:
            show_mof(one, console)
        return exits.OK
    host = local()
    permanent.store(host, session, objects, 0 if options.replace else CREATE_ONLY)
    console.note(f"permanent subscription {options.name} is stored")
    _tell_whether_it_runs(console)
    return exits.OK


def _tell_whether_it_runs(console: Console) -> None:
    from openwmi.host import local
    from openwmi.service.ownership import is_held

    lock = local().owner_lock
    if lock is not None and not is_held(lock):
        console.note("no process runs it yet: openwmi serve does")


def _consumer(options: Options) -> tuple[str, dict[str, Any]]:
    """The class of the consumer and its values, from the options."""
    kinds = [kind for kind in _KINDS if getattr(options, kind) is not None]
    if len(kinds) != 1:
        raise Misuse("say what happens with an event: one of --log, --command, --journal and --mail")
    return _MADE[kinds[0]](options)


def _text(options: Options) -> str:
    """The template of what is written; unless one is given, what has happened to what."""
    return options.text or ("%__CLASS% %TargetInstance.__RELPATH%" if _is_about(options) else "%__CLASS%")


def _is_about(options: Options) -> bool:
    """Whether the events of the query are about an instance."""
    from openwmi import wql
    from openwmi.model.classes import Class

    session = Session(options.namespace, options)
    try:
        select = wql.parse_event(options.query)
    except WbemError as failure:
        raise session.failed(failure) from failure
    class_ = session.get(select.class_name.text)
    return isinstance(class_, Class) and class_.property("TargetInstance") is not None


def _log(options: Options) -> tuple[str, dict[str, Any]]:
    import os

    values: dict[str, Any] = {"Filename": os.path.abspath(options.log), "Text": _text(options)}
    if options.max_size is not None:
        values["MaximumFileSize"] = options.max_size
    return "LogFileEventConsumer", values


def _command(options: Options) -> tuple[str, dict[str, Any]]:
    seconds = options.kill_after
    return "CommandLineEventConsumer", {
        "CommandLineTemplate": options.command,
        "WorkingDirectory": options.directory,
        "KillTimeout": 0 if seconds is None else max(1, round(seconds)),
    }


def _journal(options: Options) -> tuple[str, dict[str, Any]]:
    if options.type not in _TYPES:
        raise Misuse(f"--type is one of {', '.join(_TYPES)}, not {options.type}")
    return "NTEventLogEventConsumer", {
        "SourceName": options.journal,
        "EventID": options.event_id,
        "EventType": _TYPES[options.type],
        "NumberOfInsertionStrings": 1,
        "InsertionStringTemplates": [_text(options)],
    }


def _mail(options: Options) -> tuple[str, dict[str, Any]]:
    return "SMTPEventConsumer", {
        "SMTPServer": options.smtp,
        "ToLine": options.mail,
        "Subject": options.subject or f"{options.name}: %__CLASS%",
        "Message": _text(options),
    }


_MADE = {"log": _log, "command": _command, "journal": _journal, "mail": _mail}


def _compile(options: Options, console: Console) -> int:
    """Store what a MOF file declares."""
    from openwmi.cli import compiling
    from openwmi.cli.permanent import NAMESPACE
    from openwmi.host import local
    from openwmi.model.errors import MofError

    file: str = vars(options)["from"]
    try:
        source = compiling.read(file)
        if options.dry_run:
            return compiling.check([source], NAMESPACE, console)
        done = compiling.store(local(), source, NAMESPACE, class_flags=0, instance_flags=0)
    except MofError as failure:
        return compiling.complain(console, failure)
    compiling.told(console, source.name, done)
    _tell_whether_it_runs(console)
    return exits.OK


# Showing, removing, trying


def _ls(options: Options, console: Console) -> int:
    from openwmi.cli.formats import writer_for
    from openwmi.cli.permanent import COLUMNS, shown
    from openwmi.host import local

    output = writer_for(options.output, console, raw=options.raw, objects=False)
    output.begin([name for name, _ in COLUMNS])
    output.records([int(code) for _, code in COLUMNS], list(shown(local())))
    output.end()
    return exits.OK


def _rm(options: Options, console: Console) -> int:
    from openwmi.cli import permanent
    from openwmi.host import local

    host = local()
    chosen = permanent.named(permanent.all_bindings(host), options.name)
    what = f"permanent subscription {options.name}" + (
        f" ({len(chosen)} bindings)" if len(chosen) > 1 else ""
    )
    if console.converses and not options.yes and not console.ask(f"delete {what}?"):
        console.note("nothing is deleted")
        return exits.CANCELLED
    gone = permanent.remove(host, chosen)
    if console.verbosity:
        for path in gone:
            console.note(path)
    console.note(f"{what} is deleted")
    return exits.OK


def _test(options: Options, console: Console) -> int:
    """Hand a sample event to the consumers, here and now, and say what happened; the failure of the first that fails
    is that of the command."""
    from openwmi.cli import permanent
    from openwmi.host import local

    for binding in permanent.named(permanent.all_bindings(local()), options.name):
        if binding.trouble is not None:
            console.complain(f"{binding.path}: {binding.trouble}\n")
            return exits.WMI_ERROR
        event = permanent.sample_event(binding)
        if console.verbosity:
            _show(event, console)
        assert binding.consumer is not None
        said = permanent.tried(binding, event)
        console.write(f"{binding.consumer.instance.relpath_}: {said}\n")
    return exits.OK


def _show(event: Instance, console: Console) -> None:
    from openwmi.mof import print_instance

    console.note(print_instance(event).strip())


_ACTIONS = {"ls": _ls, "add": _add, "rm": _rm, "test": _test}
