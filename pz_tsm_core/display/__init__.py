"""What people look at: pages of facts and tables, the same in a terminal, a notebook, as JSON."""
