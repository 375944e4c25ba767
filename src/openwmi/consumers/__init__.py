"""What is done with events: the standard consumers of permanent subscriptions, one module each (model.md E6).

Their classes stand in standard.mof and are those of root\\subscription. Each module has a provider for one of
them, with the role `consume` of contract.provider; it is loaded with the first event for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from openwmi.contract.provider import EventConsumerProvider

NAMESPACE: Final = "root\\subscription"
FAMILY: Final = "standard"

# Lower-case class name, which is the name of its provider too, as on Windows -> the module and the class there.
PROVIDERS: Final[dict[str, tuple[str, str]]] = {
    "commandlineeventconsumer": ("commandline", "CommandLineEventConsumer"),
    "logfileeventconsumer": ("logfile", "LogFileEventConsumer"),
    "nteventlogeventconsumer": ("eventlog", "NTEventLogEventConsumer"),
    "smtpeventconsumer": ("mail", "SMTPEventConsumer"),
    "activescripteventconsumer": ("script", "ActiveScriptEventConsumer"),
}


def load_mof() -> str:
    """The MOF text of the classes."""
    with open(f"{__file__.rpartition('/')[0]}/{FAMILY}.mof", encoding="utf-8") as file:
        return file.read()


def registrations(class_name: str) -> list[dict[str, object]]:
    """How the providers are registered: the values of the instances of __Win32Provider, or of their registrations, by
    the lower-case name of the class (E-76)."""
    if class_name == "__win32provider":
        return [
            {"Name": name, "CLSID": f"python:openwmi.consumers.{module}:{name}", "HostingModel": "SelfHost"}
            for module, name in PROVIDERS.values()
        ]
    return [
        {"provider": f'__Win32Provider.Name="{name}"', "ConsumerClassNames": [name]}
        for _, name in PROVIDERS.values()
    ]


def provider(name: str) -> EventConsumerProvider | None:
    """The provider of a standard consumer class; None for a name that is none."""
    found = PROVIDERS.get(name.lower())
    if found is None:
        return None
    from importlib import import_module

    made: EventConsumerProvider = getattr(import_module(f"openwmi.consumers.{found[0]}"), found[1])()
    return made
