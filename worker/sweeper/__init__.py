"""The maintenance loop: dispatches due jobs, rescues lost ones, keeps history and retention, reconciles."""
