"""The plots are made for any curve and any clusters, and are PNG files."""

import numpy as np
import pytest

from reclustering.clustering.plots import write_clusters_plot, write_elbow_plot
from tests.clustering.tables import cluster_customers, find_elbow, returns


@pytest.mark.parametrize("X", [returns(500), np.zeros((3, 4)), returns(500) * [1, 1, 1e6, 1]])
def test_plots_of_any_result(table, tmp_path, X):
    path, out = table(X), tmp_path / "plot.png"
    elbow = find_elbow(path, k=None, k_max=19, scaling="none")
    write_elbow_plot(elbow, out)
    assert out.read_bytes().startswith(b"\x89PNG")
    clusters = cluster_customers(path, k=elbow["k"], scaling="none")
    write_clusters_plot(clusters, out)
    assert out.read_bytes().startswith(b"\x89PNG")
    for one in clusters["clusters"]:
        assert f"Cluster {one['label']}: {one['size']:,} customers" in clusters["alt_text"]
