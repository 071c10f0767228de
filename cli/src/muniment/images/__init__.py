"""Images: a name in, the digest that a registry or a daemon gives it out."""
