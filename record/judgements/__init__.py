"""A judgement: the recorded moment at which an environment's or a trail's verdict changed, and why."""
