"""Whether this host belongs to a domain, as the configuration of sssd and Samba says (G-11)."""

from __future__ import annotations

from openwmi.providers.linux.files import contents, text

_DEFAULT_WORKGROUP = "WORKGROUP"


def membership(root: str = "") -> str | None:
    """The DNS name of the domain in lower case; None for a host on its own."""
    return _sssd(root) or _samba_realm(root)


def workgroup(root: str = "") -> str:
    return (_global(root).get("workgroup") or _DEFAULT_WORKGROUP).upper()


def _sections(path: str) -> dict[str, dict[str, str]]:
    """An ini file: keys in lower case, the last of several assignments wins."""
    try:
        lines = text(contents(path, 65536)).splitlines()
    except OSError:
        return {}
    found: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for raw in lines:
        stripped = raw.strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            section = found.setdefault(stripped[1:-1].strip().lower(), {})
        elif "=" in stripped and stripped[0] not in "#;":
            name, _, value = stripped.partition("=")
            section[name.strip().lower()] = value.strip()
    return found


def _sssd(root: str) -> str | None:
    """The first domain that a directory of Windows or FreeIPA serves."""
    for section, settings in _sections(f"{root}/etc/sssd/sssd.conf").items():
        provider = settings.get("id_provider", "").lower()
        if section.startswith("domain/") and provider in ("ad", "ipa"):
            return (settings.get("ad_domain") or settings.get("ipa_domain") or section[7:]).lower()
    return None


def _global(root: str) -> dict[str, str]:
    return _sections(f"{root}/etc/samba/smb.conf").get("global", {})


def _samba_realm(root: str) -> str | None:
    settings = _global(root)
    joined = settings.get("security", "").lower() in ("ads", "domain")
    return (settings.get("realm", "").lower() or None) if joined else None
