"""Events: what a subscription wants, where events come from, and how they reach it (model.md E, calls.md B.14)."""
