"""The command line: a small module a command. They parse, call and render; they decide nothing."""
