"""Between the protocol eras: pure conversions, result bytes in, result bytes out."""
