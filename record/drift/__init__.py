"""When what runs and what was reported as deployed began to drift apart, and when that ended."""
