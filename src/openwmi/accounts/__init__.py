"""Who may log on over the network: the store of accounts, and how failed attempts are slowed (DESIGN.md section 5)."""

from openwmi.accounts.accounts import Accounts
from openwmi.accounts.record import Account

__all__ = ["Account", "Accounts"]
