"""Pages for people: what the API knows, as HTML without a script. Reads only."""
