// What this machine can do at best, measured: the yardstick of `tru bench` and of estimates.
#pragma once

#include "base/result.h"
#include "tensor/device.h"
#include "tensor/linear.h"

namespace tru::tensor {

// Rate of a large matrix product with weights of `type` and f32 inputs, in 10^9 multiplications and
// additions per second: the best of several runs, 0.1 to 0.5 s in all.
Result<double> measure_gemm_gflops(Device& device, const MatrixType& type);

// Rate at which all threads together read memory that no cache holds, in GB/s.
double measure_read_gb_per_s(int threads);

}  // namespace tru::tensor
