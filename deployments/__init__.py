"""What an operator sets up: deployments, work pools, automations."""
