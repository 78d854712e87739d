"""Organizations, projects and credentials: who may do what where."""
