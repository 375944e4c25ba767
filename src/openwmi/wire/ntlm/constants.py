"""Negotiation flags and attribute numbers of NTLM ([MS-NLMP] 2.2.2.5, 2.2.2.1)."""

from __future__ import annotations

from typing import Final

UNICODE: Final = 0x00000001
REQUEST_TARGET: Final = 0x00000004
SIGN: Final = 0x00000010
SEAL: Final = 0x00000020
NTLM: Final = 0x00000200
ANONYMOUS: Final = 0x00000800
ALWAYS_SIGN: Final = 0x00008000
TARGET_TYPE_SERVER: Final = 0x00020000
EXTENDED_SESSION_SECURITY: Final = 0x00080000
TARGET_INFO: Final = 0x00800000
VERSION: Final = 0x02000000
KEY_128: Final = 0x20000000
KEY_EXCHANGE: Final = 0x40000000
KEY_56: Final = 0x80000000

# What this side can do (wire.md 4.1), and what it does not do without.
_BASE: Final = UNICODE | REQUEST_TARGET | SIGN | SEAL | NTLM | ALWAYS_SIGN | EXTENDED_SESSION_SECURITY
SUPPORTED: Final = _BASE | TARGET_INFO | VERSION | KEY_128 | KEY_EXCHANGE | KEY_56
REQUIRED: Final = UNICODE | SIGN | EXTENDED_SESSION_SECURITY | KEY_128

AV_END: Final = 0
AV_NETBIOS_COMPUTER: Final = 1
AV_NETBIOS_DOMAIN: Final = 2
AV_DNS_COMPUTER: Final = 3
AV_DNS_DOMAIN: Final = 4
AV_DNS_TREE: Final = 5
AV_FLAGS: Final = 6
AV_TIMESTAMP: Final = 7
AV_SINGLE_HOST: Final = 8
AV_TARGET_NAME: Final = 9
AV_CHANNEL_BINDINGS: Final = 10

AV_FLAG_MIC: Final = 0x2

SIGNATURE: Final = b"NTLMSSP\0"
NEGOTIATE: Final = 1
CHALLENGE: Final = 2
AUTHENTICATE: Final = 3

# Windows 10 / Server 2019, NTLM revision 15 ([MS-NLMP] 2.2.2.10); for debugging only, nothing may depend on it.
OS_VERSION: Final = bytes.fromhex("0a0063450000000f")
