"""Serves the scripts of the tabs, which hold no data: the browser loads them before it asks."""

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse

from operators.pages.answers import SAFE, STATIC

app = FastAPI(title="Scripts of the tabs", docs_url=None, redoc_url=None, openapi_url=None)


@app.get("/{name}")
def script(name: str) -> FileResponse:
    """Return one of the scripts that lie in static/, and nothing else."""
    known = {path.name: path for path in STATIC.glob("*.js")}
    if name not in known:
        raise HTTPException(404, "There is no such script.")
    return FileResponse(known[name], media_type="text/javascript", headers=SAFE)
