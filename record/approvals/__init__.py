"""An approval: a request to put an artifact into an environment, and what people said to it."""
