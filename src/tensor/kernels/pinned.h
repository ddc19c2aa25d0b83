// Sums that stay in the register where they are.
//
// GCC 12 would else, with 16 registers for 12 sums, add up products before it adds them to their
// sums, run out of registers and keep the sums in memory; and copy most sums to others and back in
// every round of the loop.
#pragma once

namespace tru::tensor {
namespace {

template <typename Int>
[[gnu::always_inline]] inline Int pinned(Int sum) {
  asm("" : "+v"(sum));
  return sum;
}

#if defined(__x86_64__)
// sum + x, of eight 32-bit integers.
template <typename Int>
[[gnu::always_inline]] inline Int added_in_place(Int sum, Int x) {
  asm("vpaddd %1, %0, %0" : "+x"(sum) : "x"(x));
  return sum;
}
#endif

}  // namespace
}  // namespace tru::tensor
