"""The View provider: classes whose instances are put together from those of others (model.md F3)."""
