// GELU in its tanh form, exact to f32 rounding. ggml's own CPU operator looks values up in an f16
// table, which moves first-token logprobs by more than the 0.002 we promise.
#pragma once

#include <cstddef>

namespace tru::tensor {

// y[i] = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), with the best instructions of this
// machine. x and y may be the same array.
void gelu_tanh(const float* x, float* y, std::size_t count);

// The same by the formula above in double precision: what gelu_tanh is tested against.
void gelu_tanh_reference(const float* x, float* y, std::size_t count);

}  // namespace tru::tensor
