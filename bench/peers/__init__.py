"""What the rows are measured against: written the way a good engineer would in an afternoon."""
