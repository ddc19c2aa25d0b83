#include "tensor/experts.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "tensor/pieces.h"

namespace tru::tensor {
namespace {

ggml_tensor* by_ggml(Graph& graph, const ExpertMlps& mlps, const Routing& routing, ggml_tensor* x,
                     ggml_tensor* addend) {
  ggml_context* context = graph.context();
  const std::int64_t chosen = routing.experts->ne[0];
  const std::int64_t hidden = x->ne[0], tokens = x->ne[1];
  ggml_tensor* rows = ggml_reshape_3d(context, x, hidden, 1, tokens);
  ggml_tensor* inner =
      ggml_swiglu(context, ggml_mul_mat_id(context, mlps.gate_up.tensor, rows, routing.experts));
  ggml_tensor* outer = ggml_mul_mat_id(context, mlps.down.tensor, inner, routing.experts);
  outer = ggml_mul(context, outer, ggml_reshape_3d(context, routing.weights, 1, chosen, tokens));
  ggml_tensor* sum = nullptr;
  for (std::int64_t i = 0; i < chosen; ++i) {
    ggml_tensor* part = ggml_view_2d(context, outer, hidden, tokens, outer->nb[2],
                                     static_cast<std::size_t>(i) * outer->nb[1]);
    sum = sum == nullptr ? part : ggml_add(context, sum, part);
  }
  return ggml_add(context, addend, sum);
}

// The tokens of one expert: `count` places of Mixture's order from `first` on.
struct Share {
  std::int64_t expert;
  std::int64_t first;
  std::int64_t count;
  std::size_t x;      // bytes before its part of the block of quantised inputs
  std::size_t inner;  // the same of quantised inner channels

  const LinearKernels& kernels() const { return chosen_linear_kernels(count); }
};

// What the operators of one mixture share. Its tokens are known when the graph is built; which
// expert gets which, once route() has run.
struct Mixture {
  PackedShape gate;  // of one expert's gate, and of its up
  PackedShape down;
  std::int64_t experts;
  std::int64_t chosen;  // of each token
  std::int64_t tokens;
  int threads;

  struct InnerPiece {
    std::int64_t share, span, begin_tile;
  };
  std::vector<Share> shares = {};
  std::vector<std::int32_t> places = {};  // token * chosen + i, expert by expert
  std::vector<std::int32_t> rows = {};    // the token of each of places
  std::vector<InnerPiece> pieces = {};
  std::atomic<std::int64_t> next_quantize = 0, next_inner = 0, next_down = 0;

  // A token alone has the same row for all its experts.
  bool shares_row() const { return tokens == 1; }

  void route(const ggml_tensor& expert_of);

  // Enough for each expert's rows in a block of their own, whatever their numbers. (Any number's
  // kernels are those of one row or those of all.)
  std::size_t blocks_bytes(std::int64_t columns) const {
    std::size_t first = 0, others = 0;
    for (const std::int64_t count : {std::int64_t{1}, tokens}) {
      const LinearKernels& kernels = chosen_linear_kernels(count);
      first = std::max(first, kernels.quantized_bytes(1, columns));
      others = std::max(others, kernels.quantized_bytes(tokens * chosen, columns));
    }
    return static_cast<std::size_t>(std::min(experts, tokens * chosen)) * first + others;
  }

  std::int64_t tiles_per_piece(const LinearKernels& kernels) const {
    return std::min(kernels.tiles_per_share, parts_of(tokens, kernels.tile_rows));
  }
  // Of a thread, behind the blocks of quantised inner channels.
  std::int64_t floats_per_thread() const {
    std::int64_t most = 0;
    for (const std::int64_t count : {std::int64_t{1}, tokens}) {
      const LinearKernels& kernels = chosen_linear_kernels(count);
      most = std::max(most, InnerPieces::floats(kernels, tiles_per_piece(kernels), 2));
    }
    return most;
  }
};

// Sorts by expert.
void Mixture::route(const ggml_tensor& expert_of) {
  const auto expert_at = [&](std::int64_t token, std::int64_t i) {
    const auto* row = static_cast<const std::byte*>(expert_of.data) +
                      static_cast<std::size_t>(token) * expert_of.nb[1];
    return static_cast<std::size_t>(reinterpret_cast<const std::int32_t*>(row)[i]);
  };
  std::vector<std::int64_t> next(static_cast<std::size_t>(experts) + 1);
  for (std::int64_t token = 0; token < tokens; ++token) {
    for (std::int64_t i = 0; i < chosen; ++i) ++next[expert_at(token, i) + 1];
  }
  std::size_t x = 0, inner = 0;
  for (std::size_t expert = 0; expert < static_cast<std::size_t>(experts); ++expert) {
    const std::int64_t count = next[expert + 1];
    next[expert + 1] += next[expert];
    if (count == 0) continue;
    const Share share{static_cast<std::int64_t>(expert), next[expert], count, x, inner};
    const LinearKernels& kernels = share.kernels();
    if (!shares_row()) x += kernels.quantized_bytes(count, gate.columns);
    inner += kernels.quantized_bytes(count, down.columns);
    for (std::int64_t span = 0; span < InnerPieces::spans(gate); ++span) {
      const std::int64_t tiles = parts_of(count, kernels.tile_rows);
      for (std::int64_t tile = 0; tile < tiles; tile += tiles_per_piece(kernels)) {
        pieces.push_back({static_cast<std::int64_t>(shares.size()), span, tile});
      }
    }
    shares.push_back(share);
  }
  TRU_ASSERT(x <= blocks_bytes(gate.columns) && inner <= blocks_bytes(down.columns));
  places.resize(static_cast<std::size_t>(tokens * chosen));
  rows.resize(places.size());
  for (std::int64_t token = 0; token < tokens; ++token) {
    for (std::int64_t i = 0; i < chosen; ++i) {
      const auto place = static_cast<std::size_t>(next[expert_at(token, i)]++);
      places[place] = static_cast<std::int32_t>(token * chosen + i);
      rows[place] = static_cast<std::int32_t>(token);
    }
  }
}

// sources: each token's experts.
void run_route(ggml_tensor* dst, int thread, int, void* state) {
  if (thread == 0) static_cast<Mixture*>(state)->route(*dst->src[0]);
}

QuantizedRows x_of(const Mixture& mixture, const Share& share, ggml_tensor* blocks) {
  return share.kernels().view(static_cast<std::byte*>(blocks->data) + share.x, share.count,
                              mixture.gate.columns);
}

QuantizedRows inner_of(const Mixture& mixture, const Share& share, ggml_tensor* blocks) {
  return share.kernels().view(static_cast<std::byte*>(blocks->data) + share.inner, share.count,
                              mixture.down.columns);
}

// Each expert's rows of x. sources: x, and what route() runs in.
void run_quantize(ggml_tensor* dst, int, int, void* state) {
  auto& mixture = *static_cast<Mixture*>(state);
  const ggml_tensor* x = dst->src[0];
  const auto count =
      mixture.shares_row() ? std::int64_t{1} : static_cast<std::int64_t>(mixture.shares.size());
  for (auto i = mixture.next_quantize++; i < count; i = mixture.next_quantize++) {
    const Share& share = mixture.shares[static_cast<std::size_t>(i)];
    QuantizeTask task{.x = {floats_of(x), x->ne[0]},
                      .x_rows = &mixture.rows[static_cast<std::size_t>(share.first)],
                      .columns = x->ne[0]};
    task.out = x_of(mixture, share, dst);
    task.end_tile = task.out.tiles();
    task.end_span = task.out.spans();
    share.kernels().quantize(task);
  }
}

// Gate, up and activation. sources: quantised x, gate and up.
void run_inner(ggml_tensor* dst, int thread, int, void* state) {
  auto& mixture = *static_cast<Mixture*>(state);
  TRU_ASSERT(thread < mixture.threads);
  auto* behind = static_cast<std::byte*>(dst->data) + mixture.blocks_bytes(mixture.down.columns);
  behind += -reinterpret_cast<std::uintptr_t>(behind) % 64;
  float* floats = reinterpret_cast<float*>(behind) + thread * mixture.floats_per_thread();
  const auto* weights = static_cast<const std::byte*>(dst->src[1]->data);
  const std::size_t layer_bytes = mixture.gate.bytes();
  const auto count = static_cast<std::int64_t>(mixture.pieces.size());
  for (auto i = mixture.next_inner++; i < count; i = mixture.next_inner++) {
    const auto& piece = mixture.pieces[static_cast<std::size_t>(i)];
    const Share& share = mixture.shares[static_cast<std::size_t>(piece.share)];
    const std::byte* gate = weights + static_cast<std::size_t>(2 * share.expert) * layer_bytes;
    const std::byte* layers[] = {gate, gate + layer_bytes};
    const LinearKernels& kernels = share.kernels();
    InnerPieces pieces{.kernels = kernels,
                       .product = {.shape = mixture.gate},
                       .rounding = {.columns = mixture.gate.rows, .prologue = Prologue::swiglu},
                       .layers = layers};
    pieces.product.inputs = x_of(mixture, share, dst->src[0]);
    pieces.rounding.out = inner_of(mixture, share, dst);
    pieces.run(piece.span, piece.begin_tile,
               std::min(pieces.product.inputs.tiles(),
                        piece.begin_tile + mixture.tiles_per_piece(kernels)),
               floats);
  }
}

// The outer layers, some output channels at a time: of all experts, one after the other, so that
// no two threads add to the same number, and always in the same order.
class DownPiece {
 public:
  DownPiece(const Mixture& mixture, ggml_tensor* dst, std::int64_t begin_panel,
            std::int64_t end_panel)
      : mixture_(mixture),
        dst_(dst),
        first_(begin_panel * kPanelRows),
        channels_(std::min(mixture.down.rows, end_panel * kPanelRows) - first_) {
    task_.shape = mixture.down;
    task_.begin_panel = begin_panel;
    task_.end_panel = end_panel;
    task_.read_soon = true;
  }

  void run() {
    const float* addend = floats_of(dst_->src[2]);
    for (std::int64_t token = 0; token < mixture_.tokens; ++token) {
      std::copy_n(addend + token * mixture_.down.rows + first_, channels_, out(token));
    }
    for (const Share& share : mixture_.shares) add(share);
  }

 private:
  static constexpr std::int64_t kFloats = std::int64_t{1} << 14;

  float* out(std::int64_t token) const {
    return static_cast<float*>(dst_->data) + token * mixture_.down.rows + first_;
  }

  void add(const Share& share) {
    const LinearKernels& kernels = share.kernels();
    task_.inputs = inner_of(mixture_, share, dst_->src[0]);
    task_.weights = static_cast<const std::byte*>(dst_->src[1]->data) +
                    static_cast<std::size_t>(share.expert) * mixture_.down.bytes();
    const std::int64_t step = (task_.end_panel - task_.begin_panel) * kPanelRows;
    const std::int64_t tiles_at_once = kFloats / (step * kernels.tile_rows);
    const std::int64_t tiles = task_.inputs.tiles();
    for (std::int64_t tile = 0; tile < tiles; tile += tiles_at_once) {
      task_.begin_tile = tile;
      task_.end_tile = std::min(tiles, tile + tiles_at_once);
      const std::int64_t begin = tile * kernels.tile_rows;
      task_.output = {values_, step, begin, first_};
      kernels.multiply(task_);
      const std::int64_t end = std::min(share.count, task_.end_tile * kernels.tile_rows);
      for (std::int64_t row = begin; row < end; ++row) {
        add_row(share.first + row, values_ + (row - begin) * step);
      }
    }
  }

  void add_row(std::int64_t at, const float* values) const {
    const std::int32_t place = mixture_.places[static_cast<std::size_t>(at)];
    const float weight = floats_of(dst_->src[3])[place];
    float* to = out(mixture_.rows[static_cast<std::size_t>(at)]);
    for (std::int64_t i = 0; i < channels_; ++i) to[i] += weight * values[i];
  }

  const Mixture& mixture_;
  ggml_tensor* dst_;
  std::int64_t first_, channels_;  // of the outputs
  LinearTask task_ = {};
  alignas(64) float values_[kFloats];  // of some rows
};

// sources: quantised inner channels, weights, addend, each token's weights of its experts.
void run_down(ggml_tensor* dst, int, int threads, void* state) {
  auto& mixture = *static_cast<Mixture*>(state);
  const std::int64_t panels = mixture.down.panels();
  const std::int64_t each = panels_per_piece(panels, threads);
  const std::int64_t pieces = parts_of(panels, each);
  for (auto piece = mixture.next_down++; piece < pieces; piece = mixture.next_down++) {
    DownPiece(mixture, dst, piece * each, std::min(panels, (piece + 1) * each)).run();
  }
}

ggml_tensor* by_kernels(Graph& graph, const ExpertMlps& mlps, const Routing& routing,
                        ggml_tensor* x, ggml_tensor* addend) {
  const std::int64_t inner = mlps.down.columns;
  const std::int64_t tokens = x->ne[1];
  const int threads = graph.device().threads();
  TRU_ASSERT(mlps.gate_up.packed == mlps.down.packed && inner % kPanelRows == 0);
  TRU_ASSERT(mlps.gate_up.rows == 2 * inner && mlps.gate_up.columns == x->ne[0]);
  auto& mixture = graph.keep<Mixture>(PackedShape{*mlps.gate_up.packed, inner, x->ne[0]},
                                      mlps.down.packed_shape(), mlps.down.experts,
                                      routing.experts->ne[0], tokens, threads);
  for (const ExpertMatrices& matrices : {mlps.gate_up, mlps.down}) {
    graph.add_flop(2.0 * static_cast<double>(matrices.rows * matrices.columns) *
                   static_cast<double>(mixture.chosen * tokens));
  }
  const auto add = [&](ggml_type type, std::int64_t columns, std::int64_t rows,
                       std::vector<ggml_tensor*> sources, ggml_custom_op_t run) {
    return ggml_custom_4d(graph.context(), type, columns, rows, 1, 1, sources.data(),
                          static_cast<int>(sources.size()), run, GGML_N_TASKS_MAX, &mixture);
  };
  const auto bytes = [&](std::int64_t columns) {
    return static_cast<std::int64_t>(mixture.blocks_bytes(columns));
  };
  const std::int64_t floats = threads * mixture.floats_per_thread();
  ggml_tensor* routed = add(GGML_TYPE_I8, 1, 1, {routing.experts}, run_route);
  ggml_tensor* rows = add(GGML_TYPE_I8, bytes(x->ne[0]), 1, {x, routed}, run_quantize);
  ggml_tensor* activated =
      add(GGML_TYPE_I8, bytes(inner) + floats * static_cast<std::int64_t>(sizeof(float)) + 64, 1,
          {rows, mlps.gate_up.tensor}, run_inner);
  return add(GGML_TYPE_F32, x->ne[0], tokens,
             {activated, mlps.down.tensor, addend, routing.weights}, run_down);
}

}  // namespace

ExpertMatrices new_expert_matrices(ggml_context* context, const MatrixType& type,
                                   std::int64_t experts, std::int64_t rows, std::int64_t columns) {
  ExpertMatrices matrices{nullptr, experts, rows, columns, type.packed};
  matrices.tensor =
      type.packed
          ? ggml_new_tensor_1d(context, GGML_TYPE_I8,
                               static_cast<std::int64_t>(matrices.packed_shape().bytes()) * experts)
          : ggml_new_tensor_3d(context, type.plain, columns, rows, experts);
  return matrices;
}

ggml_tensor* mixture_of_experts(Graph& graph, const ExpertMlps& mlps, const Routing& routing,
                                ggml_tensor* x, ggml_tensor* addend) {
  TRU_ASSERT(mlps.gate_up.packed.has_value() == mlps.down.packed.has_value());
  return mlps.down.packed ? by_kernels(graph, mlps, routing, x, addend)
                          : by_ggml(graph, mlps, routing, x, addend);
}

}  // namespace tru::tensor
