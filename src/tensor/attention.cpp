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

// One row of each batch: parts of the keys, the next for whichever thread is free. Who ends the
// last one joins all.
struct RowState {
  std::atomic<std::int64_t> next_part = 0;
  std::atomic<std::int64_t> parts_done = 0;
};

// sources: q, k, v. dst: the output, and behind it the parts.
void run_row(ggml_tensor* dst, int, int, void* user) {
  auto& state = *static_cast<RowState*>(user);
  const ggml_tensor* q = dst->src[0];
  const ggml_tensor* k = dst->src[1];
  const ggml_tensor* v = dst->src[2];
  const std::int64_t heads = q->ne[1], head_dim = q->ne[0], batches = q->ne[3], keys = k->ne[2];
  const std::int64_t parts = attention_parts(keys);
  auto* output = static_cast<float*>(dst->data);
  float* block = output + batches * heads * head_dim;
  std::vector<float> scores(static_cast<std::size_t>(heads * kAttentionPartKeys));
  for (auto next = state.next_part++; next < batches * parts; next = state.next_part++) {
    const std::int64_t batch = next / parts, first = next % parts * kAttentionPartKeys;
    RowAttentionTask task{};
    task.head_dim = head_dim;
    task.heads = heads;
    task.key_heads = k->ne[1];
    task.query = reinterpret_cast<const float*>(head_rows(q, 0, batch).data);
    task.query_step = static_cast<std::int64_t>(q->nb[1] / sizeof(float));
    task.keys = head_rows(k, 0, batch);
    task.values = head_rows(v, 0, batch);
    task.key_step = static_cast<std::int64_t>(k->nb[1]);
    task.value_step = static_cast<std::int64_t>(v->nb[1]);
    task.scale = score_scale(q);
    task.scores = scores.data();
    kernels().attend_row(task, first, std::min(kAttentionPartKeys, keys - first),
                         part_at(block, next, heads, head_dim));
    if (++state.parts_done < batches * parts) continue;
    for (std::int64_t b = 0; b < batches; ++b) {
      join_parts(block + b * parts * part_floats(heads, head_dim), parts, heads, head_dim,
                 output + b * heads * head_dim);
    }
  }
}

ggml_tensor* row_attention(Graph& graph, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v) {
  const std::int64_t heads = q->ne[1], head_dim = q->ne[0], batches = q->ne[3];
  const std::int64_t width = heads * head_dim;
  graph.add_flop(4.0 * static_cast<double>(width * batches * k->ne[2]));
  ggml_tensor* sources[] = {q, k, v};
  ggml_tensor* both =
      ggml_custom_4d(graph.context(), GGML_TYPE_F32,
                     batches * (width + attention_parts(k->ne[2]) * part_floats(heads, head_dim)),
                     1, 1, 1, sources, 3, run_row, GGML_N_TASKS_MAX, &graph.keep<RowState>());
  return ggml_view_3d(graph.context(), both, width, 1, batches,
                      static_cast<std::size_t>(width) * sizeof(float),
                      static_cast<std::size_t>(width) * sizeof(float), 0);
}

}  // namespace

ggml_tensor* attention(Graph& graph, ggml_tensor* q, ggml_tensor* k, ggml_tensor* v,
                       const Visibility& visibility) {
  TRU_ASSERT(graph.device().is_cpu() && q->type == GGML_TYPE_F32);
  TRU_ASSERT(q->nb[0] == ggml_type_size(q->type) && k->nb[0] == ggml_type_size(k->type) &&
             v->nb[0] == ggml_type_size(v->type));
  TRU_ASSERT(q->ne[1] % k->ne[1] == 0 && k->ne[2] == v->ne[2]);
  TRU_ASSERT(!visibility.causal || visibility.past + q->ne[2] <= k->ne[2]);
  const bool one_sees_all =
      q->ne[2] == 1 && (!visibility.causal || visibility.past + 1 == k->ne[2]);
  if (one_sees_all && k->type == v->type && padded_to_lanes(q->ne[0]) == q->ne[0]) {
    return row_attention(graph, q, k, v);
  }
  auto& state = graph.keep<AttentionState>(q->ne[0], q->ne[1], k->ne[1], q->ne[2], k->ne[2],
                                           q->ne[3], visibility);
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
