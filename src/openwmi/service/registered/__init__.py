"""Providers that a namespace's repository names: registrations, loading, time limits, host processes (model.md F1)."""
