"""Bodies, fields, versions and times of a request, checked as Sentry checks them. Touches nothing."""
