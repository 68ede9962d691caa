"""What stands at a service: deployments, work pool and queues, schedules, automations."""
