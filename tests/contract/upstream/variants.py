"""Transport and era of the real SDK servers that what every upstream does is tested against."""

VARIANTS = {
    "http-modern-json": ("http", "modern", "json"),
    "http-modern-stream": ("http", "modern"),
    "http-legacy-json": ("http", "legacy", "json"),
    "http-legacy-stream": ("http", "legacy"),
    "http-legacy-stateless": ("http", "legacy", "stateless"),
    "stdio-modern": ("stdio", "modern"),
    "stdio-legacy": ("stdio", "legacy"),
}


def all_but(*names: str) -> list[str]:
    """The others; a name may be the end of several."""
    return [variant for variant in VARIANTS if not variant.endswith(names)]
