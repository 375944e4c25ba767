"""Views of a call: enumerators, call results, the synchronous form, buffers. One code for every face and the server.

They live on the loop of their Services, except the reader's side of a :class:`Buffer`. Statuses are unsigned
HRESULTs; a failure is a WbemError with the code and, where the service gave one, the error object.
"""

from __future__ import annotations

from openwmi.faces.views.buffer import Buffer
from openwmi.faces.views.call_result import CallResult
from openwmi.faces.views.enumerator import Enumerator
from openwmi.faces.views.events import in_force
from openwmi.faces.views.queued import cancel
from openwmi.faces.views.synchronous import Finished, perform

__all__ = ["Buffer", "CallResult", "Enumerator", "Finished", "cancel", "in_force", "perform"]
