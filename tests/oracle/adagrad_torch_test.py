"""Our Adagrad kernels against torch.optim.Adagrad, for every combination of its five options.

Each of 100 steps starts from PyTorch's own weights and state, so that differences do not add up.
PyTorch's portable kernels round every operation, as ours do: a weight must lie within 2 units in the
last place of max(|w before|, |update|), and in fact all bits agree. Its AVX2 kernels fuse some
multiplications and additions; there a few elements in a million lie 3 or 4 units apart, because the
state's last bit differs, and the second test bounds that.
"""

import itertools
import json
import os
import struct
import subprocess
import sys
import unittest

# Read when PyTorch is loaded.
os.environ.setdefault("ATEN_CPU_CAPABILITY", "default")

try:
    import numpy as np
    import torch
except ImportError as error:
    print(f"skipped: {error}; deploy/install-deps --test installs PyTorch")
    sys.exit(77)

PROGRAM = os.path.join(os.environ["ROWHOUSE_BIN_DIR"], "rowhouse-adagrad-steps")
DIM = 96
STEPS = 100
ULPS = 2
FUSED_ULPS = 8
FUSED_BEYOND_MAX = 1e-4  # share of weights beyond ULPS

OPTIONS = {
    "lr": (0.01, 0.5),
    "lr_decay": (0.0, 0.05),
    "weight_decay": (0.0, 0.1),
    "initial_accumulator_value": (0.0, 0.1),
    "eps": (1e-10, 1e-3),
}


def combinations():
    for values in itertools.product(*OPTIONS.values()):
        yield dict(zip(OPTIONS, values))


def gradient(random, step):
    """Of magnitudes from 1e-4 to 1e2, with exact zeros among them."""
    scale = 10.0 ** random.uniform(-4, 2, DIM)
    values = random.standard_normal(DIM) * scale
    values[step % DIM] = 0.0
    return values.astype(np.float32)


def torch_steps(options, seed):
    """Yields (w, state, g, w after, state after), float32 arrays [DIM], for each step."""
    random = np.random.default_rng(seed)
    parameter = torch.nn.Parameter(torch.from_numpy(random.standard_normal(DIM).astype(np.float32)))
    optimizer = torch.optim.Adagrad([parameter], **options)
    state = optimizer.state[parameter]["sum"]
    for step in range(STEPS):
        before = parameter.detach().numpy().copy(), state.numpy().copy()
        g = gradient(random, step)
        parameter.grad = torch.from_numpy(g.copy())
        optimizer.step()
        yield (*before, g, parameter.detach().numpy().copy(), state.numpy().copy())


def our_steps(options, steps):
    """Kernel names, and our results: float32 [steps, kernels, 2, DIM]."""
    request = [struct.pack("<I", DIM)]
    for number, (w, state, g, _, _) in enumerate(steps, start=1):
        request.append(struct.pack("<ddddQ", options["lr"], options["lr_decay"],
                                   options["weight_decay"], options["eps"], number))
        request += [w.tobytes(), state.tobytes(), g.tobytes()]
    done = subprocess.run([PROGRAM], input=b"".join(request), capture_output=True, check=True,
                          timeout=60)
    kernels = done.stderr.decode().split()
    results = np.frombuffer(done.stdout, np.float32).reshape(len(steps), len(kernels), 2, DIM)
    return kernels, results


def distances(ours, theirs, scale):
    """Differences in units of the last place of `scale`, element by element."""
    ulp = np.spacing(np.abs(scale).astype(np.float32)).astype(np.float64)
    return np.abs(ours.astype(np.float64) - theirs.astype(np.float64)) / ulp


def all_distances():
    """Of weights, over combinations, steps, kernels and elements; and the kernels' names."""
    parts = []
    for seed, options in enumerate(combinations()):
        steps = list(torch_steps(options, seed))
        kernels, results = our_steps(options, steps)
        for (w, _, _, w_after, _), result in zip(steps, results):
            scale = np.maximum(np.abs(w), np.abs(w_after.astype(np.float64) - w))
            parts += [distances(our_w, w_after, scale) for our_w, _ in result]
    return np.concatenate(parts), kernels


class AdagradAgainstTorch(unittest.TestCase):
    def test_every_combination_of_options_stays_within_two_ulps(self):
        found, kernels = all_distances()
        print(f"{2 ** len(OPTIONS)} combinations, {STEPS} steps, kernels {', '.join(kernels)}: "
              f"weights at most {found.max():.2f} ulp apart")
        self.assertEqual(kernels[0], "scalar")
        self.assertLessEqual(found.max(), ULPS)

    def test_the_state_is_bit_equal_to_that_of_the_portable_kernels(self):
        for seed, options in enumerate(combinations()):
            steps = list(torch_steps(options, seed))
            _, results = our_steps(options, steps)
            for (_, _, _, _, state_after), result in zip(steps, results):
                for _, our_state in result:
                    self.assertEqual(our_state.tobytes(), state_after.tobytes(), str(options))

    def test_fused_kernels_differ_in_few_elements_and_little(self):
        done = subprocess.run([sys.executable, "-B", __file__, "--distances"], check=True,
                              capture_output=True, text=True, timeout=120,
                              env={**os.environ, "ATEN_CPU_CAPABILITY": "avx2"})
        found = json.loads(done.stdout)
        print(f"fused: at most {found['max']:.2f} ulp, {found['beyond']:.1e} beyond {ULPS}")
        self.assertLessEqual(found["max"], FUSED_ULPS)
        self.assertLess(found["beyond"], FUSED_BEYOND_MAX)

    def test_a_wrong_formula_is_found(self):
        options = next(combinations())
        steps = list(torch_steps(options, 0))
        _, results = our_steps({**options, "eps": 1e-2}, steps)
        w, _, _, w_after, _ = steps[0]
        self.assertGreater(distances(results[0, 0, 0], w_after, np.abs(w)).max(), ULPS)


if __name__ == "__main__":
    if sys.argv[1:] == ["--distances"]:
        weights, _ = all_distances()
        print(json.dumps({"max": float(weights.max()), "beyond": float(np.mean(weights > ULPS))}))
        sys.exit(0)
    unittest.main(verbosity=2)
