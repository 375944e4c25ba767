"""How people call: the async face, its synchronous mirror, the COM-shaped face, and the views they share."""
