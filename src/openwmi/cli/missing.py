"""A package that a verb needs and this Python lacks: the extra that brings it, and how it gets installed."""

from __future__ import annotations

import os
import sys

# The module whose import failed, and the extra of pyproject.toml that brings it.
EXTRAS = {
    "cryptography": "wire",
    "rich": "terminal",
    "jeepney": "systemd",
    "gssapi": "kerberos",
    "prometheus_client": "metrics",
    "pytest": "testing",
}


def repair(error: ModuleNotFoundError) -> str:
    """Start the launcher anew so that it installs what is missing, or say what the user can do.

    Started by `./openwmi` this does not return the first time: the launcher makes an environment with the
    extra and runs the same command line in it. So it may only be called before anything has been printed.
    Without the launcher, or when that did not help, the answer is a sentence for the user.

    Raises `error` itself when the module is none of ours to bring: that is a fault of the program.
    """
    extra = EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        raise error
    launcher = os.environ.get("OPENWMI_LAUNCHER")
    # The variable still being set means that the launcher has installed the extra and it was no use.
    if launcher and os.environ.get("OPENWMI_NEEDS") != extra:
        os.environ["OPENWMI_NEEDS"] = extra
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(launcher, [launcher, *sys.argv[1:]])
    return f"this needs the package {error.name}: pip install 'openwmi[{extra}]'"
