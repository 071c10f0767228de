"""Who may do what: organizations, principals, their roles, and API keys."""
