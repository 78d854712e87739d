"""From the socket to the stored row: verifies a webhook, decides on it and stores it. Serves no page."""
