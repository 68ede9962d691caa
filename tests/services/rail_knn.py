"""Train and run RAIL's KNN on two of our files; runs in RAIL's own environment, not in ours.

Prints sigma_NMAD of (z_photo - z) / (1 + z) as JSON. Usage: rail_knn.py TRAIN TEST FOLDER
"""

import json
import os
import sys

import h5py
import numpy as np
from rail.core.data import TableHandle
from rail.estimation.algos.k_nearneigh import KNearNeighEstimator, KNearNeighInformer

train, test, folder = map(os.path.abspath, sys.argv[1:])
os.chdir(folder)
KNearNeighInformer.make_stage(name="inform", model="knn.pkl").inform(
    TableHandle("train", path=train)
)
estimator = KNearNeighEstimator.make_stage(name="estimate", model="knn.pkl", output="out.hdf5")
estimates = estimator.estimate(TableHandle("test", path=test)).data
photo_z = np.squeeze(estimates.mode(np.linspace(0, 3, 301)))
with h5py.File(test) as file:
    z = file["photometry/redshift"][:]
scaled = (photo_z - z) / (1 + z)
sigma = 1.4826 * np.median(np.abs(scaled - np.median(scaled)))
sys.stdout.write(json.dumps({"rows": len(z), "sigma_nmad": float(sigma)}) + "\n")
