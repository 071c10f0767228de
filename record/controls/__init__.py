"""A control: an objective of a framework, met by evidence; and how far the deployments of a period had that evidence."""
