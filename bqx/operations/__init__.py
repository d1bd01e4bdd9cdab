"""What keeps a running system in order: alerts, dashboards, and what it costs."""
