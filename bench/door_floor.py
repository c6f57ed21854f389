"""The floor of `door.py`: a bare FastAPI that answers each path with bytes that it is given, on uvicorn."""

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response


def app_of(folder: Path) -> FastAPI:
    """A page a file, by its name."""
    pages = {path.name: path.read_bytes() for path in folder.iterdir()}
    app = FastAPI(openapi_url=None)

    @app.get("/{name}")
    async def page(name: str) -> Response:
        return Response(pages[name], media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(app_of(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="error", access_log=False)
