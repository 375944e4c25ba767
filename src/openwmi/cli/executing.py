"""`--exec`: a program run once for each event, which it gets as JSON on its input and in variables."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from openwmi.cli.eventrows import moment, subject, word
from openwmi.cli.options import Misuse
from openwmi.cli.values import iso, json_text, object_document
from openwmi.model.instances import Instance

if TYPE_CHECKING:
    from openwmi.cli.console import Console


class Program:
    """A command, split as a shell would and run without one: who wants one writes `sh -c '...'`.

    One event at a time, in order; one that takes long lets events wait, and in the end lets them be dropped.
    """

    def __init__(self, command: str, namespace: str, console: Console) -> None:
        """Raises Misuse for a command that cannot be run."""
        try:
            self._words = shlex.split(command)
        except ValueError as reason:
            raise Misuse(f"--exec {command}: {reason}") from None
        if not self._words or shutil.which(self._words[0]) is None:
            raise Misuse(f"--exec: there is no program {self._words[0] if self._words else command!r}")
        self._namespace = namespace
        self._console = console
        self._runs = 0

    def __call__(self, event: Instance, *, raw: bool) -> None:
        """Run it to its end. An exit code that is not 0 is told, and nothing more."""
        self._runs += 1
        document = json_text(object_document(event, dmtf=raw)) + "\n"
        ended = subprocess.run(
            self._words,
            input=document.encode("utf-8", "backslashreplace"),
            env={**os.environ, **self._variables(event)},
            check=False,
        )
        if ended.returncode:
            self._console.complain(f"{self._words[0]} ended with {ended.returncode}\n")

    def _variables(self, event: Instance) -> dict[str, str]:
        """What a script needs without reading JSON; empty where the event has no such thing."""
        about = subject(event)
        when = moment(event)
        texts = {
            "OPENWMI_EVENT": word(event),
            "OPENWMI_EVENT_CLASS": event.classname_,
            "OPENWMI_EVENT_NUMBER": str(self._runs),
            "OPENWMI_EVENT_TIME": iso(when) if when else "",
            "OPENWMI_NAMESPACE": self._namespace,
            "OPENWMI_TARGET_CLASS": "",
            "OPENWMI_TARGET_PATH": "",
            "OPENWMI_TARGET_NAME": "",
        }
        if isinstance(about, Instance):
            texts["OPENWMI_TARGET_CLASS"] = about.classname_
            texts["OPENWMI_TARGET_PATH"] = about.relpath_ or ""
            texts["OPENWMI_TARGET_NAME"] = str(about.get_("Name") or about.get_("Caption") or "")
        elif about is not None:
            texts["OPENWMI_TARGET_CLASS"] = texts["OPENWMI_TARGET_PATH"] = about.name
        # A variable cannot hold NUL, and must be text that can be encoded.
        return {
            name: text.replace("\0", "\\0").encode("utf-8", "replace").decode()
            for name, text in texts.items()
        }
