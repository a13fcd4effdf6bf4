"""The planes put together, each from its parts; the composition root starts and stops them."""
