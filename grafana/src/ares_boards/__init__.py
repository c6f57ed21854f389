"""The dashboards as code: `python -m ares_boards FOLDER` writes one JSON file a board."""
