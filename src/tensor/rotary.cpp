#include "tensor/rotary.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/assert.h"

namespace tru::tensor {
namespace {

int axis_of_pair(RotaryAxes axes, const std::array<int, 3>& sections, int pair, int pairs) {
  if (axes == RotaryAxes::halves) return pair < pairs / 2 ? 0 : 1;
  const int axis = pair % 3;
  return pair < 3 * sections[static_cast<std::size_t>(axis)] ? axis : 0;
}

struct Share {
  std::int64_t begin, end;
};

Share share_of(std::int64_t count, int thread, int threads) {
  return {count * thread / threads, count * (thread + 1) / threads};
}

struct TableState {
  std::vector<int> axis;  // of each pair
};

// sources: positions and wavelengths. A row of the table: cosines of all pairs, then sines.
void run_table(ggml_tensor* dst, int thread, int threads, void* user) {
  const auto& axis = static_cast<TableState*>(user)->axis;
  const auto* positions = static_cast<const std::int32_t*>(dst->src[0]->data);
  const auto* wavelengths = static_cast<const float*>(dst->src[1]->data);
  const std::int64_t rows = dst->ne[1];
  const Share share = share_of(rows, thread, threads);
  for (std::int64_t row = share.begin; row < share.end; ++row) {
    float* cosines = static_cast<float*>(dst->data) + row * dst->ne[0];
    float* sines = cosines + axis.size();
    for (std::size_t k = 0; k < axis.size(); ++k) {
      const auto position = static_cast<float>(positions[axis[k] * rows + row]);
      const float angle = position / wavelengths[k];
      cosines[k] = std::cos(angle);
      sines[k] = std::sin(angle);
    }
  }
}

// sources: x and the table.
void run_rotate(ggml_tensor* dst, int thread, int threads, void*) {
  const ggml_tensor* x = dst->src[0];
  const ggml_tensor* table = dst->src[1];
  const std::int64_t pairs = dst->ne[0] / 2;
  const Share share = share_of(dst->ne[2] * dst->ne[3], thread, threads);
  for (std::int64_t index = share.begin; index < share.end; ++index) {
    const std::int64_t row = index % dst->ne[2];
    const float* cosines = static_cast<const float*>(table->data) + row * table->ne[0];
    const float* sines = cosines + pairs;
    const auto* from = static_cast<const std::byte*>(x->data) +
                       static_cast<std::size_t>(row) * x->nb[2] +
                       static_cast<std::size_t>(index / dst->ne[2]) * x->nb[3];
    float* to = static_cast<float*>(dst->data) + index * dst->ne[1] * dst->ne[0];
    for (std::int64_t head = 0; head < dst->ne[1]; ++head, from += x->nb[1], to += 2 * pairs) {
      const auto* values = reinterpret_cast<const float*>(from);
      for (std::int64_t k = 0; k < pairs; ++k) {
        const float first = values[k];
        const float second = values[pairs + k];
        to[k] = first * cosines[k] - second * sines[k];
        to[pairs + k] = first * sines[k] + second * cosines[k];
      }
    }
  }
}

}  // namespace

Rotary::Rotary(Graph& graph, ggml_tensor* positions, ggml_tensor* wavelengths, RotaryAxes axes,
               const std::array<int, 3>& sections)
    : graph_(&graph),
      positions_(positions),
      wavelengths_(wavelengths),
      axes_(axes),
      sections_(sections) {
  if (!graph.device().is_cpu()) return;
  const auto pairs = static_cast<int>(wavelengths->ne[0]);
  auto& state = graph.keep<TableState>();
  for (int k = 0; k < pairs; ++k) state.axis.push_back(axis_of_pair(axes, sections, k, pairs));
  ggml_tensor* sources[] = {positions, wavelengths};
  table_ = ggml_custom_4d(graph.context(), GGML_TYPE_F32, 2 * pairs, positions->ne[0] / 4, 1, 1,
                          sources, 2, run_table, GGML_N_TASKS_MAX, &state);
}

ggml_tensor* Rotary::operator()(ggml_tensor* x) const {
  TRU_ASSERT(x->type == GGML_TYPE_F32 && x->nb[0] == sizeof(float));
  ggml_context* context = graph_->context();
  if (table_ != nullptr) {
    ggml_tensor* sources[] = {x, table_};
    return ggml_custom_4d(context, GGML_TYPE_F32, x->ne[0], x->ne[1], x->ne[2], x->ne[3], sources,
                          2, run_rotate, GGML_N_TASKS_MAX, nullptr);
  }
  // ggml divides a position by the k-th "frequency factor", and base 1 makes its own powers vanish.
  const int head_dim = static_cast<int>(x->ne[0]);
  if (axes_ == RotaryAxes::halves) {
    int sections[GGML_MROPE_SECTIONS] = {head_dim / 4, head_dim / 4, head_dim / 4, head_dim / 4};
    return ggml_rope_multi(context, x, positions_, wavelengths_, head_dim / 2, sections,
                           GGML_ROPE_TYPE_VISION, 0, 1.0f, 1.0f, 0.0f, 1.0f, 0.0f, 0.0f);
  }
  const auto& [t, h, w] = sections_;
  int sections[GGML_MROPE_SECTIONS] = {t, h, w, head_dim / 2 - t - h - w};
  return ggml_rope_multi(context, x, positions_, wavelengths_, head_dim, sections,
                         GGML_ROPE_TYPE_IMROPE, 0, 1.0f, 1.0f, 0.0f, 1.0f, 0.0f, 0.0f);
}

}  // namespace tru::tensor
