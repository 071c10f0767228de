"""What may run where: policies of environments, and the verdicts that they reach."""
