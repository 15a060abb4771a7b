def main(name="World"):
    """Greets: input {"name": "..."} or a plain text."""
    return "Hello, %s!" % name
