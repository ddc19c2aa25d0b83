// Functions of vectors of floats, written once over the levels' types (floats_*.h).
#pragma once

#include <cstdint>

namespace tru::tensor {
namespace {

// e^x for x in [-87, 88], x beyond counts as the bound: 2^n * e^r with n = round(x / ln 2) and a
// polynomial for |r| <= ln(2) / 2. Relative error below 2e-7.
template <class F>
[[gnu::always_inline]] inline typename F::Float exp(typename F::Float x) {
  using Float = typename F::Float;
  x = F::min(F::max(x, F::set1(-87.0f)), F::set1(88.0f));
  const Float n = F::round(x * F::set1(1.44269504088896f));
  // ln 2 in two parts, the first exact in few bits, so that n * part loses nothing.
  Float r = F::fma(n, F::set1(-0.693359375f), x);
  r = F::fma(n, F::set1(2.12194440e-4f), r);
  Float p = F::set1(1.9875691500e-4f);
  p = F::fma(p, r, F::set1(1.3981999507e-3f));
  p = F::fma(p, r, F::set1(8.3334519073e-3f));
  p = F::fma(p, r, F::set1(4.1665795894e-2f));
  p = F::fma(p, r, F::set1(1.6666665459e-1f));
  p = F::fma(p, r, F::set1(5.0000001201e-1f));
  p = F::fma(p * r, r, r) + F::set1(1.0f);
  return F::scale(p, n);
}

// 2^x for x <= 1; below -125 it may be 2^-125. Relative error below 8e-5.
template <class F>
[[gnu::always_inline]] inline typename F::Float power_of_2(typename F::Float x) {
  const auto f = F::fraction(x);
  auto p = F::fma(F::set1(0.07802452f), f, F::set1(0.22606716f));
  p = F::fma(p, f, F::set1(0.69583354f));
  p = F::fma(p, f, F::set1(0.99992522f));
  return F::scale_by_floor(p, x);
}

// x / (1 + e^-x)
template <class F>
[[gnu::always_inline]] inline typename F::Float silu(typename F::Float x) {
  return x / (F::set1(1.0f) + exp<F>(F::set1(0.0f) - x));
}

// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), as 0.5 (1 + tanh u) = 1 / (1 + e^(-2u)).
template <class F>
[[gnu::always_inline]] inline typename F::Float gelu_tanh(typename F::Float x) {
  constexpr float kScale = 1.5957691216057308f;  // 2 sqrt(2/pi)
  const auto u = x * F::fma(x * x, F::set1(-kScale * 0.044715f), F::set1(-kScale));
  return x / (F::set1(1.0f) + exp<F>(u));
}

// erf, an odd rational function on [-4, 4], where erf is 1 to f32's last bit.
// Source: the coefficients of Eigen's and XLA's f32 erf.
template <class F>
[[gnu::always_inline]] inline typename F::Float erf(typename F::Float x) {
  using Float = typename F::Float;
  x = F::min(F::max(x, F::set1(-4.0f)), F::set1(4.0f));
  const Float z = x * x;
  Float p = F::set1(-2.72614225801306e-10f);
  p = F::fma(p, z, F::set1(2.77068142495902e-08f));
  p = F::fma(p, z, F::set1(-2.10102402082508e-06f));
  p = F::fma(p, z, F::set1(-5.69250639462346e-05f));
  p = F::fma(p, z, F::set1(-7.34990630326855e-04f));
  p = F::fma(p, z, F::set1(-2.95459980854025e-03f));
  p = F::fma(p, z, F::set1(-1.60960333262415e-02f));
  Float q = F::set1(-1.45660718464996e-05f);
  q = F::fma(q, z, F::set1(-2.13374055278905e-04f));
  q = F::fma(q, z, F::set1(-1.68282697438203e-03f));
  q = F::fma(q, z, F::set1(-7.37332916720468e-03f));
  q = F::fma(q, z, F::set1(-1.42647390514189e-02f));
  return x * p / q;
}

// 0.5 x (1 + erf(x / sqrt 2))
template <class F>
[[gnu::always_inline]] inline typename F::Float gelu_erf(typename F::Float x) {
  const auto half = x * F::set1(0.5f);
  return F::fma(half, erf<F>(x * F::set1(0.70710678118654752f)), half);
}

}  // namespace
}  // namespace tru::tensor
