"""The DCOM client: IWbemServices of another machine as `contract.services.Services`, results pulled or pushed.

It stands on `remote.outbound` and, for exported sinks, on `remote.inbound`; it knows nothing of the service at home.
"""

from openwmi.remote.client.credentials import Credentials
from openwmi.remote.client.services import connect
from openwmi.remote.client.settings import Settings

__all__ = ["Credentials", "Settings", "connect"]
