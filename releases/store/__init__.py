"""Every SQL statement on releases, commits, refs and deploys."""
