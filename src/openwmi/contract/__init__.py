"""What both sides of the seam share: operations, flags, the Services and Sink protocols, delivery, providers."""
