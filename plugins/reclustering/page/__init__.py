"""The page in Airflow: a FastAPI app that its API server runs."""

from reclustering.page.app import create_app

__all__ = ["create_app"]
