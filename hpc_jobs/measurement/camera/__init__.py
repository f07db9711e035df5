"""A virtual camera: a sheet that is known, filmed and exported as test houses do.

    from hpc_jobs.measurement.camera.series import film_series

The engine's displacements of every node become points on a camera's grid, with the noise,
distortion, losses and movements of a real set-up (`defects`), then files of the tools' own layouts
(`layouts`) and a testing machine's (`machine_file`). Nothing is shared with the reading of such
files: what goes round, from a sheet through these files to an identified sheet, is a test of both.
"""
