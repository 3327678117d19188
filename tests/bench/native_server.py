"""llama.cpp's native server from the package xllamacpp: MODEL PORT THREADS CONTEXT PARALLEL."""

import signal
import sys

import xllamacpp

model, port, threads, context, parallel = sys.argv[1], *map(int, sys.argv[2:6])
params = xllamacpp.CommonParams()
params.model.path = model
params.model_alias = "bench"
params.hostnames = ["127.0.0.1"]
params.port = port
params.n_ctx = context
params.n_parallel = parallel
params.cpuparams.n_threads = threads
params.cpuparams_batch.n_threads = threads
server = xllamacpp.Server(params)
signal.sigwait({signal.SIGTERM, signal.SIGINT})
