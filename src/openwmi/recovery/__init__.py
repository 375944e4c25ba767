"""A new content for a store: from what is left of it, from the files of its recovery list, or from nothing."""
