"""For tests and small providers: serve a dynamic class from plain Python functions."""

from __future__ import annotations

from openwmi.testing.provided import provide

__all__ = ["provide"]
