"""From a bundle back to the events: each link by a digest."""
