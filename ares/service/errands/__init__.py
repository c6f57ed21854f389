"""What takes long and was asked for over the API, carried out by processes of this installation's own command line."""
