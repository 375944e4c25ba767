"""The COM-shaped face under its public name: `from openwmi import com`."""

from __future__ import annotations

from openwmi.faces.com import *  # noqa: F403
