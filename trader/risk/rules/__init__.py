"""One rule a file; a rule's class name is the `rule` of its refusals' rows."""
