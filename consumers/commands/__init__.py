"""The commands of streamfit, one module each: options in, one call into the house."""
