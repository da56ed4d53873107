"""What people look at: pages of HTML that need nothing beside themselves."""
