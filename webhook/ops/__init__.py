"""What an operator can see and do, once for dashboard, API and command line. Knows no Flask and no click."""
