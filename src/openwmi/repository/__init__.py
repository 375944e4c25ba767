"""Where namespaces, classes and static instances live: one SQLite file per store, shared by processes."""
