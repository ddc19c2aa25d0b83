#include "tensor/attention.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "base/assert.h"
#include "tensor/kernels/attention.h"

namespace tru::tensor {
namespace {

const AttentionKernels& kernels() {
  static const AttentionKernels& chosen = attention_kernels(cpu_level());
  return chosen;
}

// Shapes, and the next piece of work for whichever thread is free.
struct AttentionState {
  std::int64_t head_dim, heads, key_heads, rows, keys, batches;
  Visibility visibility;
  std::atomic<std::int64_t> next_pack = 0;
  std::atomic<std::int64_t> next_rows = 0;

  std::int64_t padded_keys() const { return padded_to_lanes(keys); }
};

// The packed keys and values of the index-th key head of all batches.
PackedHead packed_head(const AttentionState& state, const ggml_tensor* packed, std::int64_t index) {
  const auto bytes = static_cast<std::int64_t>(kernels().packed_bytes(state.head_dim, state.keys));
  auto* head = static_cast<std::byte*>(packed->data) + 2 * index * bytes;
  return {head, head + bytes, state.head_dim, state.padded_keys()};
}

HeadRows head_rows(const ggml_tensor* tensor, std::int64_t head, std::int64_t batch) {
  const auto* data = static_cast<const std::byte*>(tensor->data);
  const auto offset = static_cast<std::size_t>(head) * tensor->nb[1] +
                      static_cast<std::size_t>(batch) * tensor->nb[3];
  return {data + offset, static_cast<std::int64_t>(tensor->nb[2]), tensor->type == GGML_TYPE_F16};
}

// sources: k, v
void run_pack(ggml_tensor* dst, int, int, void* user) {
  auto& state = *static_cast<AttentionState*>(user);
  const std::int64_t blocks = state.padded_keys() / kAttentionLanes;
  const std::int64_t pieces = blocks * state.key_heads * state.batches;
  for (auto piece = state.next_pack++; piece < pieces; piece = state.next_pack++) {
    const std::int64_t head = piece / blocks;
    kernels().pack(head_rows(dst->src[0], head % state.key_heads, head / state.key_heads),
                   head_rows(dst->src[1], head % state.key_heads, head / state.key_heads),
                   piece % blocks * kAttentionLanes, state.keys, packed_head(state, dst, head));
  }
}

// sources: q and the packed keys and values
void run_attend(ggml_tensor* dst, int, int, void* user) {
  auto& state = *static_cast<AttentionState*>(user);
  const ggml_tensor* q = dst->src[0];
  const std::int64_t block_rows = kernels().rows;
  const std::int64_t blocks = (state.rows + block_rows - 1) / block_rows;
  const std::int64_t pieces = blocks * state.heads * state.batches;
  std::vector<CacheLine> scratch(kernels().scratch_lines(state.head_dim, state.padded_keys()));
  const std::int64_t width = state.heads * state.head_dim;
  for (auto piece = state.next_rows++; piece < pieces; piece = state.next_rows++) {
    // The last rows of a causal batch are the most work: they go first.
    const std::int64_t first = (blocks - 1 - piece % blocks) * block_rows;
    const std::int64_t head = piece / blocks % state.heads;
    const std::int64_t batch = piece / blocks / state.heads;
    const std::int64_t key_head = head / (state.heads / state.key_heads);
    AttentionTask task{};
    task.head = packed_head(state, dst->src[1], batch * state.key_heads + key_head);
    const HeadRows queries = head_rows(q, head, batch);
    task.queries = reinterpret_cast<const float*>(queries.data + first * queries.row_bytes);
    task.query_step = queries.row_bytes / static_cast<std::int64_t>(sizeof(float));
    task.count = std::min(block_rows, state.rows - first);
    task.causal = state.visibility.causal;
    task.visible = task.causal ? state.visibility.past + first + 1 : state.keys;
    task.scale = 1.0f / std::sqrt(static_cast<float>(state.head_dim));
    task.output = static_cast<float*>(dst->data) + (batch * state.rows + first) * width +
                  head * state.head_dim;
    task.output_step = width;
    task.scratch = scratch.data();
    kernels().attend(task);
  }
}

float score_scale(const ggml_tensor* q) {
  return 1.0f / std::sqrt(static_cast<float>(q->ne[0]));
}

}  // namespace

ggml_tensor* attention(Graph& graph, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v,
                       const Visibility& visibility) {
  TRU_ASSERT(graph.device().is_cpu() && q->type == GGML_TYPE_F32);
  TRU_ASSERT(q->nb[0] == ggml_type_size(q->type) && k->nb[0] == ggml_type_size(k->type) &&
             v->nb[0] == ggml_type_size(v->type));
  TRU_ASSERT(q->ne[1] % k->ne[1] == 0 && k->ne[2] == v->ne[2]);
  auto& state = graph.keep<AttentionState>(q->ne[0], q->ne[1], k->ne[1], q->ne[2], k->ne[2],
                                           q->ne[3], visibility);
  TRU_ASSERT(!visibility.causal || visibility.past + state.rows <= state.keys);
  const auto bytes = static_cast<std::int64_t>(kernels().packed_bytes(state.head_dim, state.keys));
  ggml_tensor* rows[] = {k, v};
  ggml_tensor* packed =
      ggml_custom_4d(graph.context(), GGML_TYPE_I8, 2 * bytes * state.key_heads * state.batches, 1,
                     1, 1, rows, 2, run_pack, GGML_N_TASKS_MAX, &state);
  graph.add_flop(4.0 * static_cast<double>(state.head_dim * state.heads * state.batches) *
                 static_cast<double>(state.rows * state.keys));
  ggml_tensor* sources[] = {q, packed};
  return ggml_custom_4d(graph.context(), GGML_TYPE_F32, state.head_dim * state.heads, state.rows,
                        state.batches, 1, sources, 2, run_attend, GGML_N_TASKS_MAX, &state);
}

ggml_tensor* ggml_attention(Graph& graph, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v,
                            ggml_tensor* mask) {
  ggml_tensor* fused = ggml_flash_attn_ext(graph.context(), q, k, v, mask, score_scale(q), 0, 0);
  return graph.device().supports(fused) ? fused : unfused_attention(graph, q, k, v, mask);
}

ggml_tensor* unfused_attention(Graph& graph, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v,
                               ggml_tensor* mask) {
  ggml_context* context = graph.context();
  ggml_tensor* scores = ggml_mul_mat(context, k, q);  // [keys, rows, heads, batches]
  ggml_prec_set_acc(scores, GGML_PREC_F32);           // f16 could overflow
  scores = ggml_soft_max_ext(context, scores, mask, score_scale(q), 0);
  ggml_tensor* by_key = ggml_cont(context, ggml_transpose(context, v));
  ggml_tensor* out = ggml_mul_mat(context, by_key, scores);  // [head_dim, rows, heads, batches]
  return ggml_cont(context, ggml_permute(context, out, 0, 2, 1, 3));
}

}  // namespace tru::tensor
