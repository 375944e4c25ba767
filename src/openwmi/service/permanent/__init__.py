"""Permanent subscriptions: filters, consumers and bindings in the repository, and what runs of them (model.md E5)."""
