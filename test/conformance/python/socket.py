"""Has the name of a module of the language that the host uses."""


def main():
    return __doc__
