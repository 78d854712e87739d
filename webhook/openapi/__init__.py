"""The OpenAPI document of this process, made from its routes."""
